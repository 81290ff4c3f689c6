package jsonstream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Reader reads one JSON document. Each method but Kind and Offset takes the next value; a null is the zero value of every
// type. A value of another type than was asked for is an error that says where it stands. Not safe for concurrent use.
type Reader struct {
	d       *jsontext.Decoder
	scratch []byte
	words   map[string]string
}

// New returns a Reader of in. A *bytes.Buffer is read in place.
func New(in io.Reader) *Reader {
	return &Reader{d: jsontext.NewDecoder(in, tolerance...), words: map[string]string{}}
}

var tolerance = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// Reset goes on with another document; repeated words are still known.
func (r *Reader) Reset(in io.Reader) { r.d.Reset(in, tolerance...) }

// Kind is the first byte of the next value: one of n t f " { [, '0' for every number, } or ] at the end of an object or
// list, and the byte 0 when there is no value or none that can be read.
func (r *Reader) Kind() byte { return byte(r.d.PeekKind()) }

// Offset is the number of bytes up to the end of what was read last.
func (r *Reader) Offset() int64 { return r.d.InputOffset() }

// Object reads an object and calls member with the name of each of its members, which is valid until the next call of the
// Reader. A member whose value member leaves unread is skipped.
func (r *Reader) Object(member func(name []byte) error) error {
	if null, err := r.open('{', "an object"); null || err != nil {
		return err
	}
	depth := r.d.StackDepth()
	for {
		if r.d.PeekKind() == '}' {
			_, err := r.d.ReadToken()
			return err
		}
		name, err := r.d.ReadValue()
		if err != nil {
			return whole(err)
		}
		text, err := r.unquote(name)
		if err != nil {
			return err
		}
		if err := member(text); err != nil {
			return err
		}
		if _, n := r.d.StackIndex(depth); n%2 == 1 {
			if err := r.Skip(); err != nil {
				return err
			}
		}
	}
}

// Array reads a list and calls element before each of its elements, which it must read.
func (r *Reader) Array(element func() error) error {
	if null, err := r.open('[', "a list"); null || err != nil {
		return err
	}
	for {
		switch r.d.PeekKind() {
		case ']':
			_, err := r.d.ReadToken()
			return err
		case 0:
			_, err := r.d.ReadToken()
			return whole(err)
		}
		if err := element(); err != nil {
			return err
		}
	}
}

// Null reads a null and reports whether there was one; anything else is left.
func (r *Reader) Null() bool {
	if r.d.PeekKind() != 'n' {
		return false
	}
	_, err := r.d.ReadToken()
	return err == nil
}

// String reads a string.
func (r *Reader) String() (string, error) {
	text, err := r.text()
	return string(text), err
}

// Word reads a string that is likely to come again, such as a department: equal words share their bytes.
func (r *Reader) Word() (string, error) {
	text, err := r.text()
	if err != nil || len(text) == 0 {
		return "", err
	}
	if word, ok := r.words[string(text)]; ok {
		return word, nil
	}
	word := string(text)
	if len(r.words) < maxWords {
		r.words[word] = word
	}
	return word, nil
}

// maxWords bounds what Word remembers, should a member that is likely to repeat itself not do so.
const maxWords = 1 << 14

// Strings reads a list of strings; null is nil, an empty list is not.
func (r *Reader) Strings() ([]string, error) {
	if r.Null() {
		return nil, nil
	}
	list := []string{}
	err := r.Array(func() error {
		s, err := r.String()
		list = append(list, s)
		return err
	})
	return list, err
}

// Bool reads a boolean; ok is false for a null.
func (r *Reader) Bool() (value, ok bool, err error) {
	switch r.d.PeekKind() {
	case 't', 'f':
		t, err := r.d.ReadToken()
		return err == nil && t.Bool(), err == nil, err
	}
	if r.Null() {
		return false, false, nil
	}
	return false, false, r.unexpected("true or false")
}

// Raw reads any value as it is written; it is valid until the next call.
func (r *Reader) Raw() ([]byte, error) {
	v, err := r.d.ReadValue()
	return v, whole(err)
}

// Skip passes any value over.
func (r *Reader) Skip() error { return whole(r.d.SkipValue()) }

// End fails unless the document ends here.
func (r *Reader) End() error {
	if _, err := r.d.ReadToken(); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("more follows behind the end of the answer")
	}
	return nil
}

func (r *Reader) open(kind jsontext.Kind, what string) (null bool, err error) {
	if k := r.d.PeekKind(); k != kind {
		if k == 'n' {
			return true, r.Skip()
		}
		return false, r.unexpected(what)
	}
	_, err = r.d.ReadToken()
	return false, err
}

// text reads a string; it is valid until the next call.
func (r *Reader) text() ([]byte, error) {
	if r.d.PeekKind() != '"' {
		if r.Null() {
			return nil, nil
		}
		return nil, r.unexpected("a string")
	}
	v, err := r.d.ReadValue()
	if err != nil {
		return nil, whole(err)
	}
	return r.unquote(v)
}

func (r *Reader) unquote(quoted []byte) ([]byte, error) {
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner, nil
	}
	var err error
	r.scratch, err = jsontext.AppendUnquote(r.scratch[:0], quoted)
	if err != nil && !utf8.Valid(r.scratch) {
		return nil, err
	}
	return r.scratch, nil // an error is about broken UTF-8, which is replaced
}

// unexpected is the error of a value that is not of the wanted type, or of a document that is broken there.
func (r *Reader) unexpected(want string) error {
	v, err := r.d.ReadValue()
	switch {
	case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && r.d.StackDepth() == 0:
		return errors.New("the answer is empty")
	case err != nil:
		return whole(err)
	}
	got := map[jsontext.Kind]string{'n': "null", 't': "true", 'f': "false", '"': "a string", '0': "a number", '{': "an object", '[': "a list"}[v.Kind()]
	if at := string(r.d.StackPointer()); at != "" {
		return fmt.Errorf("expected %s at %s, got %s", want, strings.TrimPrefix(at, "/"), got)
	}
	return fmt.Errorf("expected %s, got %s", want, got)
}

// whole names the end of a document that comes too early.
func whole(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the answer ends early: %w", io.ErrUnexpectedEOF)
	}
	return err
}
