package abs

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/abs-exporter/abs-exporter/abs/regular"
)

// Keys returns ABS's access and secret key. The client calls it before each request, so that keys
// can change. Its errors are shown to users: they name the origin of a key and never the key.
type Keys interface {
	Keys() (access, secret string, err error)
}

// KeyError says which of the two keys is wrong and why. It names the file of the key, and never the
// key.
type KeyError struct {
	Secret bool // it is the secret key, else the access key
	Err    error
}

// Error names the key.
func (e *KeyError) Error() string {
	if e.Secret {
		return "the secret key " + e.Err.Error()
	}
	return "the access key " + e.Err.Error()
}

// Unwrap returns why the key is wrong.
func (e *KeyError) Unwrap() error { return e.Err }

// FileKeys reads the keys from two files for each request: a rotated key is sent from then on, and
// a key whose file is gone is not sent any more. A last line break and a byte order mark are not
// part of the key.
func FileKeys(accessFile, secretFile string) Keys { return fileKeys{accessFile, secretFile} }

// StaticKeys returns keys that never change, such as those from the environment.
func StaticKeys(access, secret string) Keys { return staticKeys{access, secret} }

type fileKeys struct{ access, secret string }

func (k fileKeys) Keys() (access, secret string, err error) {
	if access, err = readSecret(k.access, CheckKey); err != nil {
		return "", "", &KeyError{Err: err}
	}
	if secret, err = readSecret(k.secret, CheckKey); err != nil {
		return "", "", &KeyError{Secret: true, Err: err}
	}
	return access, secret, nil
}

type staticKeys struct{ access, secret string }

func (k staticKeys) Keys() (access, secret string, err error) {
	if err := CheckKey(k.access); err != nil {
		return "", "", &KeyError{Err: err}
	}
	if err := CheckKey(k.secret); err != nil {
		return "", "", &KeyError{Secret: true, Err: err}
	}
	return k.access, k.secret, nil
}

// String, GoString and Format keep the keys out of a printed configuration.
func (staticKeys) String() string               { return "StaticKeys(…)" }
func (k staticKeys) GoString() string           { return k.String() }
func (k staticKeys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) } // nothing to do about it

const maxKey = 4096

// readSecret returns what a file holds, without a last line break and a byte order mark. The error
// continues a sentence that names the secret.
func readSecret(name string, check func(string) error) (string, error) {
	f, err := regular.Open(name)
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	// Space for a byte order mark, a line break, and for one more byte, which shows that the file is
	// too long.
	var text [maxKey + 6]byte
	n, err := io.ReadFull(f, text[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", fmt.Errorf("cannot be read: %w", err)
	}
	key := strings.TrimSuffix(strings.TrimSuffix(string(regular.WithoutMark(text[:n])), "\n"), "\r")
	if err := check(key); err != nil {
		return "", fmt.Errorf("in %s %w", name, err)
	}
	return key, nil
}

// CheckKey returns why a text cannot be a key of ABS, or nil. ABS allows no colon in keys (ABS
// reference guide, "ABS REST API format"); control characters and spaces around a key do not
// survive in a header. The error continues a sentence that names the key, and does not repeat it.
func CheckKey(key string) error {
	if err := checkSecret(key); err != nil {
		return err
	}
	if strings.Contains(key, ":") {
		return errors.New("contains a colon, which ABS does not allow in keys")
	}
	return nil
}

// checkSecret returns why a text cannot be sent in a header, or nil.
func checkSecret(key string) error {
	switch {
	case key == "":
		return errors.New("is empty")
	case len(key) > maxKey:
		return errors.New("is longer than 4096 bytes")
	case strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return errors.New("contains a control character or a line break")
	case strings.TrimSpace(key) != key:
		return errors.New("begins or ends with a space")
	}
	return nil
}
