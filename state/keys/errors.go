package keys

import "errors"

var (
	// ErrWrongKey says that none of the settings opens a data key: another
	// passphrase, identity or keeper protects it.
	ErrWrongKey = errors.New("none of the configured passphrases, identities and keepers opens it")
	// ErrDamaged says that bytes are not what was written, or were written for
	// something else. They must be left untouched.
	ErrDamaged = errors.New("damaged or moved from elsewhere")
	// ErrFormat says that bytes were made in a way that this build does not know.
	// They must be left untouched.
	ErrFormat = errors.New("made by a newer weir; use that version or a later one")
	// ErrUnavailable says that a key service could not be asked, or refused to
	// answer. Trying again, or giving the run the right to use the key, may help.
	ErrUnavailable = errors.New("the key service did not do it")

	// errNotMine says that a wrap is not for this setting to open.
	errNotMine = errors.New("protected by something else")
)

// SettingsError says which setting cannot be used. It never quotes a secret.
type SettingsError struct {
	Setting string // as written in the configuration: encryption.escrow[0].recipients[1]
	Detail  string // what is wrong and what to do
}

func (e *SettingsError) Error() string { return e.Setting + ": " + e.Detail }
