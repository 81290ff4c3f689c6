package entra

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// page is one page of a list. A member that is missing is told from one that is empty.
type page struct {
	Error json.RawMessage `json:"error"`
	Count *int            `json:"@odata.count"`
	Next  string          `json:"@odata.nextLink"`
	Delta string          `json:"@odata.deltaLink"`
	Value json.RawMessage `json:"value"`
}

// parsePage reads a page and refuses whatever is none.
func parsePage(body []byte) (*page, error) {
	p := &page{}
	if err := json.Unmarshal(body, p); err != nil {
		return nil, fmt.Errorf("the answer is not whole, or no JSON: %w", err)
	}
	value := bytes.TrimSpace(p.Value)
	switch {
	case len(p.Error) > 0 && string(p.Error) != "null":
		e := &answerError{}
		e.parse(body)
		return nil, fmt.Errorf("an error came as a success: %s", e.Error())
	case len(value) == 0 || value[0] != '[':
		return nil, errors.New("the answer has no list")
	case p.Next != "" && p.Delta != "":
		return nil, errors.New("the page has both a next page and a delta link")
	}
	return p, nil
}

// walk is one list read from the first page to the last. It is not a proof until finish has judged it.
type walk struct {
	source   string // "users"
	first    string // path and query below the version root
	eventual bool   // an advanced query: the header goes with every page
	delta    bool   // the last page must bring a delta link
}

// each follows a list and gives the items of each page to take. The proof has a problem when anything makes the list
// doubtful; an error means that not even the first page was read. An error of take is a problem.
func each[T any](ctx context.Context, c *Client, w walk, take func(items []T) error) (directory.Proof, error) {
	proof := directory.Proof{Source: w.source, Count: -1, At: c.now().UTC()}
	seen := map[[sha256.Size]byte]bool{}
	links := map[string]bool{}
	link := c.at(w.first)
	for {
		body, err := c.get(ctx, link, w.eventual)
		if err != nil {
			err = failure("read "+w.source, "", "Directory.Read.All", err)
			if proof.Pages == 0 {
				return proof, err
			}
			proof.Problem = fmt.Sprintf("page %d could not be read: %v", proof.Pages+1, err)
			return proof, nil
		}
		p, err := parsePage(body)
		if err != nil && proof.Pages == 0 {
			return proof, &resource.Error{Op: "read " + w.source, Kind: resource.ErrUnavailable, Err: err}
		}
		if err != nil {
			proof.Problem = fmt.Sprintf("page %d: %v", proof.Pages+1, err)
			return proof, nil
		}
		var items []T
		if err := json.Unmarshal(p.Value, &items); err != nil {
			proof.Problem = fmt.Sprintf("page %d has objects in an unknown form: %v", proof.Pages+1, err)
			return proof, nil
		}
		proof.Pages++
		proof.Objects += len(items)
		if p.Count != nil {
			proof.Count = *p.Count
		}
		sum := sha256.Sum256(p.Value)
		switch {
		case len(items) > 0 && seen[sum]:
			proof.Problem = fmt.Sprintf("page %d came a second time", proof.Pages)
			return proof, nil
		case p.Next != "" && links[p.Next]:
			proof.Problem = "the link to the next page leads back"
			return proof, nil
		}
		seen[sum], links[p.Next] = true, true
		if err := take(items); err != nil {
			proof.Problem = fmt.Sprintf("page %d: %v", proof.Pages, err)
			return proof, nil
		}
		if p.Next == "" {
			if w.delta && p.Delta == "" {
				proof.Problem = "the last page has no delta link: the list ended early"
			}
			return proof, nil
		}
		if err := c.own(p.Next); err != nil {
			proof.Problem = err.Error()
			return proof, nil
		}
		link = p.Next
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
