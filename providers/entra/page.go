package entra

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/internal/jsonstream"
	"github.com/weir-project/weir/providers/resource"
)

// wireObject is what a list holds.
type wireObject[T any] interface {
	*T
	decode(*jsonstream.Reader) error
}

// page is what stands around the objects of one page of a list.
type page struct {
	count       *int
	next, delta string
	// digest is of the objects as they were written.
	digest [sha256.Size]byte
}

// noPageError says that an answer is no page of a list at all, in contrast to a page whose objects cannot be read.
type noPageError struct{ error }

func (e noPageError) Unwrap() error { return e.error }

// readPage reads a page whole and appends its objects to items; it refuses whatever is no page. body is what r reads.
func readPage[T any, P wireObject[T]](r *jsonstream.Reader, body []byte, items []T) (*page, []T, error) {
	p := &page{}
	refused, listed := false, false
	var objects error
	err := r.Object(func(name []byte) (err error) {
		switch string(name) {
		case "error":
			refused = !r.Null()
		case "@odata.count":
			if r.Null() {
				return nil
			}
			raw, err := r.Raw()
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(string(raw))
			p.count = &n
			return err
		case "@odata.nextLink":
			p.next, err = r.String()
		case "@odata.deltaLink":
			p.delta, err = r.String()
		case "value":
			if listed {
				return errors.New("the answer has its list twice")
			}
			if r.Kind() != '[' {
				return nil
			}
			listed = true
			start := r.Offset()
			objects = r.Array(func() error {
				var item T
				items = append(items, item)
				return P(&items[len(items)-1]).decode(r)
			})
			p.digest = sha256.Sum256(body[start:r.Offset()])
			return objects
		}
		return err
	})
	switch {
	case err != nil && objects != nil && json.Valid(body):
		return nil, items, fmt.Errorf("objects in an unknown form: %w", err)
	case err != nil:
		return nil, items, noPageError{fmt.Errorf("the answer is not whole, or no JSON: %w", err)}
	}
	if err := r.End(); err != nil {
		return nil, items, noPageError{fmt.Errorf("the answer is not whole, or no JSON: %w", err)}
	}
	switch {
	case refused:
		e := &answerError{}
		e.parse(body)
		return nil, items, noPageError{fmt.Errorf("an error came as a success: %s", e.Error())}
	case !listed:
		return nil, items, noPageError{errors.New("the answer has no list")}
	case p.next != "" && p.delta != "":
		return nil, items, noPageError{errors.New("the page has both a next page and a delta link")}
	}
	return p, items, nil
}

// walk is one list read from the first page to the last. It is not a proof until finish has judged it.
type walk struct {
	source   string // "users"
	first    string // path and query below the version root
	eventual bool   // an advanced query: the header goes with every page
	delta    bool   // the last page must bring a delta link
	need     string // permissions of which one suffices, for the hint; "" is Directory.Read.All
	// end, if given, takes the delta link.
	end *string
}

// The bounds of a list whose links never end. Pages may be empty ("Paging Microsoft Graph data in your app"), but not
// one after the other without end. maxChanges is of changes, which are dearer than the whole list long before.
const (
	maxPages   = 100_000
	maxEmpty   = 1000
	maxChanges = 5000
)

// each follows a list and gives the items of each page to take, which may keep what they point to but not the slice. The
// proof has a problem when anything makes the list doubtful; an error means that not even the first page was read. An
// error of take is a problem.
func each[T any, P wireObject[T]](ctx context.Context, c *Client, w walk, take func(items []T) error) (directory.Proof, error) {
	proof := directory.Proof{Source: w.source, Count: -1, At: c.now().UTC()}
	seen := map[[sha256.Size]byte]bool{}
	links := map[string]bool{}
	link := c.at(w.first)
	need := cmp.Or(w.need, "Directory.Read.All")
	var body bytes.Buffer
	var items []T
	reader := jsonstream.New(&body)
	for empty := 0; ; {
		err := c.bulk(ctx, link, w.eventual, &body)
		if err != nil {
			err = failure("read "+w.source, "", need, err)
			if proof.Pages == 0 {
				return proof, err
			}
			proof.Problem = fmt.Sprintf("page %d could not be read: %v", proof.Pages+1, err)
			return proof, nil
		}
		reader.Reset(&body)
		var p *page
		clear(items[:cap(items)]) // nothing of a page is kept by the next
		p, items, err = readPage[T, P](reader, body.Bytes(), items[:0])
		var none noPageError
		switch {
		case errors.As(err, &none) && proof.Pages == 0:
			return proof, &resource.Error{Op: "read " + w.source, Kind: resource.ErrUnavailable, Err: err}
		case errors.As(err, &none):
			proof.Problem = fmt.Sprintf("page %d: %v", proof.Pages+1, err)
			return proof, nil
		case err != nil:
			proof.Problem = fmt.Sprintf("page %d has %v", proof.Pages+1, err)
			return proof, nil
		}
		proof.Pages++
		proof.Objects += len(items)
		if p.count != nil {
			proof.Count = *p.count
		}
		if empty++; len(items) > 0 {
			empty = 0
		}
		switch {
		case p.next != "" && (empty >= maxEmpty || proof.Pages >= maxPages):
			proof.Problem = "the list of pages does not end"
			return proof, nil
		case len(items) > 0 && seen[p.digest]:
			proof.Problem = fmt.Sprintf("page %d came a second time", proof.Pages)
			return proof, nil
		case p.next != "" && links[p.next]:
			proof.Problem = "the link to the next page leads back"
			return proof, nil
		}
		seen[p.digest], links[p.next] = true, true
		if err := take(items); err != nil {
			proof.Problem = fmt.Sprintf("page %d: %v", proof.Pages, err)
			return proof, nil
		}
		if p.next == "" {
			if w.delta && p.delta == "" {
				proof.Problem = "the last page has no delta link: the list ended early"
			}
			if w.end != nil {
				*w.end = p.delta
			}
			return proof, nil
		}
		if err := c.own(p.next); err != nil {
			proof.Problem = err.Error()
			return proof, nil
		}
		link = p.next
	}
}

// count asks how many objects a collection has; filter may be "".
func (c *Client) count(ctx context.Context, collection, filter string) (int, error) {
	path := "/" + collection + "/$count"
	if filter != "" {
		path += "?$filter=" + strings.ReplaceAll(filter, " ", "%20")
	}
	body, err := c.get(ctx, c.at(path), true)
	if err != nil {
		return 0, failure("count "+collection, "", "Directory.Read.All", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(body), "\ufeff")))
	if err != nil || n < 0 {
		return 0, &resource.Error{Op: "count " + collection, Kind: resource.ErrUnavailable, Detail: "the answer is no number"}
	}
	return n, nil
}

// agree compares the number of objects that were read with what the directory says it has. People come and go while a
// long list is read, so a first disagreement is put to the directory again.
func (c *Client) agree(ctx context.Context, proof *directory.Proof, objects int) {
	if proof.Problem != "" {
		return
	}
	if proof.Count == objects {
		proof.Complete = true
		return
	}
	n, err := c.count(ctx, proof.Source, "")
	switch {
	case err != nil:
		proof.Problem = fmt.Sprintf("%d %s were read, and how many there are is not known: %v", objects, proof.Source, err)
	case n != objects:
		proof.Count = n
		proof.Problem = fmt.Sprintf("%d %s were read, and the directory says it has %d", objects, proof.Source, n)
	default:
		proof.Count, proof.Complete = n, true
	}
}
