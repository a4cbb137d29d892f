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

// FileKeys reads the keys from two files for each request: a rotated key is sent from then on, and
// a key whose file is gone is not sent any more. A last line break and a byte order mark are not
// part of the key.
func FileKeys(accessFile, secretFile string) Keys { return fileKeys{accessFile, secretFile} }

// StaticKeys returns keys that never change, such as those from the environment.
func StaticKeys(access, secret string) Keys { return staticKeys{access, secret} }

type fileKeys struct{ access, secret string }

func (k fileKeys) Keys() (access, secret string, err error) {
	if access, err = readKey("access", k.access); err != nil {
		return "", "", err
	}
	if secret, err = readKey("secret", k.secret); err != nil {
		return "", "", err
	}
	return access, secret, nil
}

type staticKeys struct{ access, secret string }

func (k staticKeys) Keys() (access, secret string, err error) {
	if err := CheckKey(k.access); err != nil {
		return "", "", fmt.Errorf("the access key %w", err)
	}
	if err := CheckKey(k.secret); err != nil {
		return "", "", fmt.Errorf("the secret key %w", err)
	}
	return k.access, k.secret, nil
}

// String, GoString and Format keep the keys out of a printed configuration.
func (staticKeys) String() string               { return "StaticKeys(…)" }
func (k staticKeys) GoString() string           { return k.String() }
func (k staticKeys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) } // nothing to do about it

const maxKey = 4096

func readKey(which, name string) (string, error) {
	f, err := regular.Open(name)
	if err != nil {
		return "", fmt.Errorf("the %s key cannot be read: %w", which, err)
	}
	defer f.Close() //nolint:errcheck // only read
	// Space for a byte order mark, a line break, and for one more byte, which shows that the file is
	// too long.
	var text [maxKey + 6]byte
	n, err := io.ReadFull(f, text[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", fmt.Errorf("the %s key cannot be read: %w", which, err)
	}
	key := strings.TrimSuffix(strings.TrimSuffix(string(withoutMark(text[:n])), "\n"), "\r")
	if err := CheckKey(key); err != nil {
		return "", fmt.Errorf("the %s key in %s %w", which, name, err)
	}
	return key, nil
}

// CheckKey returns why a text cannot be a key of ABS, or nil. ABS allows no colon in keys (ABS
// reference guide, "ABS REST API format"); control characters and spaces around a key do not
// survive in a header. The error continues a sentence that names the key, and does not repeat it.
func CheckKey(key string) error {
	switch {
	case key == "":
		return errors.New("is empty")
	case len(key) > maxKey:
		return errors.New("is longer than 4096 bytes")
	case strings.Contains(key, ":"):
		return errors.New("contains a colon, which ABS does not allow in keys")
	case strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return errors.New("contains a control character or a line break")
	case strings.TrimSpace(key) != key:
		return errors.New("begins or ends with a space")
	}
	return nil
}
