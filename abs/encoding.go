package abs

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// The name of an encoding comes from the response: errors repeat only these names.
var (
	knownCodings  = []string{"br", "compress", "deflate", "gzip", "x-gzip", "x-compress", "zstd", "bzip2", "lz4", "snappy"}
	knownCharsets = regexp.MustCompile(`^(utf-?(7|16|32)([lb]e)?|iso-8859-[0-9]{1,2}|windows-[0-9]{3,4}|(cp|ibm)-?[0-9]{3,4}|gbk|gb2312|gb18030|big5|shift_jis|euc-(jp|kr)|iso-2022-(jp|kr)|koi8-[ru]|macintosh)$`)
)

// decoded returns a reader of the body in UTF-8 without content coding, or an *Error. The transport
// requests gzip only, and has removed that already.
func decoded(report string, resp *http.Response) (io.Reader, error) {
	refuse := func(detail string) (io.Reader, error) {
		return nil, &Error{Report: report, Reason: ReasonDecode, detail: detail}
	}
	for _, coding := range strings.Split(strings.Join(resp.Header.Values("Content-Encoding"), ","), ",") {
		coding = strings.ToLower(strings.TrimSpace(coding))
		switch {
		case coding == "" || coding == "identity":
		case slices.Contains(knownCodings, coding):
			return refuse("the body is encoded as " + coding + ", which was not asked for: a proxy must not encode it")
		default:
			return refuse("the body has an encoding that was not asked for, and that this program does not know")
		}
	}
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return resp.Body, nil //nolint:nilerr // JSON is UTF-8 where nothing else is said
	}
	switch charset := strings.ToLower(params["charset"]); {
	case charset == "" || charset == "utf-8" || charset == "utf8" || charset == "us-ascii" || charset == "ascii":
		return resp.Body, nil
	case charset == "iso-8859-1" || charset == "latin1": // a Java server's default
		return &latin1{in: bufio.NewReaderSize(resp.Body, 16<<10)}, nil
	case knownCharsets.MatchString(charset):
		return refuse("the body is in " + charset + ", not in UTF-8")
	default:
		return refuse("the body is not in UTF-8 but in a character set that this program does not know")
	}
}

// latin1 turns ISO-8859-1 into UTF-8.
type latin1 struct {
	in   *bufio.Reader
	left bytes.Buffer
}

func (l *latin1) Read(p []byte) (int, error) {
	if l.left.Len() == 0 {
		if _, err := l.in.Peek(1); err != nil {
			return 0, err
		}
		raw, _ := l.in.Peek(l.in.Buffered())
		text := l.left.AvailableBuffer()
		for _, c := range raw {
			text = utf8.AppendRune(text, rune(c))
		}
		l.left.Write(text)
		_, _ = l.in.Discard(len(raw)) // it is buffered
	}
	return l.left.Read(p)
}
