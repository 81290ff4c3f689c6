package render

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// SafeText makes foreign text fit for one line of a terminal: control bytes, line breaks, characters that turn the
// direction of text or are invisible, and bytes that are no UTF-8 come out as visible escapes (\x1b, \u202e). Letters
// of every script stay as they are. The result is stable: SafeText of it is the same.
func SafeText(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case shown(r):
			b.WriteString(s[i : i+n])
		case unicode.Is(unicode.Zs, r):
			b.WriteByte(' ')
		default:
			b.WriteString(escape(r))
		}
		i += n
	}
	return b.String()
}

// shown reports whether a character may reach a reader as it is. The joiners are invisible, but Persian and compound
// emoji need them, and they cannot move other text.
func shown(r rune) bool {
	return strconv.IsPrint(r) || r == '\u200c' || r == '\u200d'
}

func escape(r rune) string {
	switch r {
	case '\n':
		return `\n`
	case '\t':
		return `\t`
	case '\r':
		return `\r`
	}
	switch {
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// safeLines splits text of several lines and makes each safe. Tabs become spaces, so that blocks to paste keep their
// indentation.
func safeLines(s string) []string {
	lines := strings.Split(strings.Trim(strings.ReplaceAll(s, "\r\n", "\n"), "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(SafeText(strings.ReplaceAll(line, "\t", "  ")), " ")
	}
	return lines
}

// width is the number of terminal columns that a safe text takes.
func width(s string) int { return uniseg.StringWidth(s) }

// pad fills a safe text up to n columns.
func pad(s string, n int) string {
	if w := width(s); w < n {
		return s + strings.Repeat(" ", n-w)
	}
	return s
}

var mailPattern = regexp.MustCompile(`([^\s@"'<>()\[\],;:=|` + "`" + `])[^\s@"'<>()\[\],;:=|` + "`" + `]*@([\pL\pN](?:[\pL\pN.-]*[\pL\pN])?)`)

// pseudonym shortens every mail address in a text to its first letter and domain: a…@contoso.com.
func pseudonym(s string) string {
	if !strings.Contains(s, "@") {
		return s
	}
	return mailPattern.ReplaceAllString(s, "$1…@$2")
}
