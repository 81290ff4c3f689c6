package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/weir-project/weir/providers/sim/essentials"
	"github.com/weir-project/weir/providers/sim/world"
)

// control is the listener beside the vendors' ones: it belongs to the simulator, not to any vendor, and its calls are
// not in the journal.
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		s.world.RLock()
		id := s.world.ID
		s.world.RUnlock()
		writeJSON(w, map[string]string{"status": "ok", "world": id})
	})
	mux.HandleFunc("GET /journal", s.getJournal)
	mux.HandleFunc("DELETE /journal", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearJournal()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, map[string]any{"faults": s.Faults()}) })
	mux.HandleFunc("POST /faults", s.postFaults)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /clock", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]time.Time{"clock": s.world.Now()})
	})
	mux.HandleFunc("POST /clock", s.postClock)
	mux.HandleFunc("POST /portal", s.postPortal)
	mux.HandleFunc("GET /world", s.getWorld)
	mux.HandleFunc("POST /identity-token", s.postIdentityToken)
	mux.Handle("/_sim/", s.handlers[Essentials]) // the buttons of the Essentials console
	return mux
}

func (s *Server) getJournal(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, entry := range s.Journal() {
		if r.URL.Query().Get("changing") == "1" && !entry.Changing {
			continue
		}
		if e.Encode(entry) != nil {
			return // the client has gone
		}
	}
}

func (s *Server) postFaults(w http.ResponseWriter, r *http.Request) {
	raw, err := readAll(w, r)
	if err != nil {
		refuse(w, err)
		return
	}
	var rules []Rule
	switch trimmed := bytes.TrimSpace(raw); {
	case bytes.HasPrefix(trimmed, []byte("[")):
		err = strict(trimmed, &rules)
	default:
		var many struct {
			Faults *[]Rule `json:"faults"`
		}
		if json.Unmarshal(trimmed, &many) == nil && many.Faults != nil {
			err = strict(trimmed, &many)
			rules = *many.Faults
			break
		}
		rules = make([]Rule, 1)
		err = strict(trimmed, &rules[0])
	}
	if err == nil {
		err = s.Fault(rules...)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	writeJSON(w, map[string]any{"faults": s.Faults()})
}

func (s *Server) postClock(w http.ResponseWriter, r *http.Request) {
	raw, err := readAll(w, r)
	from := s.world.Now()
	var body struct {
		Advance *Duration  `json:"advance"`
		Set     *time.Time `json:"set"`
	}
	if err == nil {
		err = strict(raw, &body)
	}
	switch {
	case err != nil:
	case (body.Advance == nil) == (body.Set == nil):
		err = errors.New(`give either {"advance": "24h"} or {"set": "2026-12-01T08:00:00Z"}`)
	case body.Advance != nil:
		err = s.Advance(time.Duration(*body.Advance))
	default:
		err = s.SetClock(*body.Set)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	essentials.Tick(s.world, from, s.world.Now()) // scheduled Azure syncs, and the frequency that resets itself (R28)
	writeJSON(w, map[string]time.Time{"clock": s.world.Now()})
}

func (s *Server) postPortal(w http.ResponseWriter, r *http.Request) {
	raw, err := readAll(w, r)
	var body struct {
		Edits []json.RawMessage `json:"edits"`
	}
	if err == nil {
		err = strict(raw, &body)
	}
	if err == nil && len(body.Edits) == 0 {
		err = errors.New(`give {"edits": [ … ]}`)
	}
	if err == nil {
		err = s.world.Portal(body.Edits...)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	writeJSON(w, map[string]int{"edits": len(body.Edits)})
}

// Portal makes the changes that a person would make by hand in a vendor's console; each edit is the JSON that
// world.Portal describes, as text, or a value that encodes to it. The edits are made one after another; the first that
// is wrong stops them.
func (s *Server) Portal(edits ...any) error {
	raw := make([]json.RawMessage, 0, len(edits))
	for _, e := range edits {
		switch x := e.(type) {
		case string:
			raw = append(raw, json.RawMessage(x))
		case json.RawMessage:
			raw = append(raw, x)
		default:
			b, err := json.Marshal(e)
			if err != nil {
				return fmt.Errorf("portal: %w", err)
			}
			raw = append(raw, b)
		}
	}
	return s.world.Portal(raw...)
}

func (s *Server) getWorld(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("comparable") == "1" {
		b, err := s.world.Comparable()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(b)
		return
	}
	_ = s.world.Save(w) // it fails when the client has gone
}

func (s *Server) postIdentityToken(w http.ResponseWriter, r *http.Request) {
	raw, err := readAll(w, r)
	var body struct {
		Issuer   string `json:"issuer"`
		Subject  string `json:"subject"`
		Audience string `json:"audience"`
	}
	if err == nil {
		err = strict(raw, &body)
	}
	var token string
	if err == nil {
		s.world.RLock()
		token, err = s.world.SignIdentityToken(body.Issuer, body.Subject, body.Audience, s.options.Now())
		s.world.RUnlock()
	}
	if err != nil {
		refuse(w, err)
		return
	}
	writeJSON(w, map[string]string{"value": token})
}

func readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
}

// strict decodes one JSON value and refuses unknown fields.
func strict(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("request body: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("request body: something follows the JSON value")
	}
	return nil
}

func refuse(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	body := map[string]any{"error": err.Error()}
	var unknown *world.UnknownError
	if errors.As(err, &unknown) {
		body["known"] = unknown.Known
	}
	_ = json.NewEncoder(w).Encode(body) // the client has gone when this fails
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // the client has gone when this fails
}
