package render

import "testing"

// TestEscapeMarkdown: what could start markup is escaped, and nothing that people read is littered without need.
func TestEscapeMarkdown(t *testing.T) {
	for text, want := range map[string]string{
		`118 → 143 (+25)`:       `118 → 143 (+25)`,
		`purchases = "refuse"`:  `purchases = "refuse"`,
		`a=b`:                   `a=b`,
		`===`:                   `\=\=\=`,
		`=`:                     `\=`,
		`a == b`:                `a \=\= b`,
		`a -> b`:                `a -\> b`,
		`> quoted`:              `\> quoted`,
		`- item`:                `\- item`,
		`12. item`:              `12\. item`,
		`*a* _b_ [c](d) <e> |f`: `\*a\* \_b\_ \[c\](d) \<e\> \|f`,
		`https://x.example`:     `https\://x.example`,
		`@team #1`:              "@\u200bteam \\#\u200b1",
	} {
		if got := escapeMarkdown(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
