package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The usual Go way: structs with tags, encoding/json, a Collector of const metrics that reads the
// report when it is scraped, promhttp. It is written with care: only the members that are needed
// are in the structs, nothing is decoded twice, descriptors and label slices are made once, and ids
// are made with one HMAC that is reset.

type tokenReport struct {
	Name    string `json:"name"`
	Summary struct {
		Tokens        int64 `json:"tokens"`
		TotalRequests int64 `json:"total_requests"`
	} `json:"summary"`
	Details []tokenDetail `json:"details"`
}

type tokenDetail struct {
	Token         string    `json:"token"`
	TotalRequests int64     `json:"total_requests"`
	IPList        []ipEntry `json:"ip_list"`
}

type ipEntry struct {
	Methods map[string]int64 `json:"methods"`
	APIs    map[string]int64 `json:"apis"`
	Devices map[string]int64 `json:"devices"`
}

// The variants of the baseline.
const (
	variantAll    = "all"    // the series of every token
	variantTop    = "top"    // the largest tokens, and all others as one
	variantStream = "stream" // the same, decoding row by row
)

type baseline struct {
	source
	client  *http.Client
	variant string
	keep    int
	mac     hash.Hash

	token, method, api, device *prometheus.Desc

	start, bytes atomic.Int64
	err          atomic.Pointer[error]
}

func runBaseline(ctx context.Context, args []string) error {
	b := &baseline{mac: hmac.New(sha256.New, []byte(tokenKey))}
	flags := flag.NewFlagSet("baseline", flag.ContinueOnError)
	b.flags(flags)
	flags.StringVar(&b.variant, "variant", variantAll, "all, top or stream")
	flags.IntVar(&b.keep, "keep", 1000, "how many tokens keep series of their own")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx = untilParentEnds(ctx, nil)
	var err error
	if b.client, err = b.source.client(); err != nil {
		return err
	}
	b.token = prometheus.NewDesc("abs_token_requests_total", "Requests of the token.", []string{"target", "token"}, nil)
	b.method = prometheus.NewDesc("abs_token_method_requests_total", "Requests of the token by method.", []string{"target", "token", "method"}, nil)
	b.api = prometheus.NewDesc("abs_token_api_requests_total", "Requests of the token by API.", []string{"target", "token", "api"}, nil)
	b.device = prometheus.NewDesc("abs_token_device_requests_total", "Requests of the token by device.", []string{"target", "token", "device"}, nil)
	reg := prometheus.NewRegistry()
	reg.MustRegister(b)
	addr, end, err := serveMetrics(ctx, promhttp.HandlerFor(reg, promhttp.HandlerOpts{}), false)
	if err != nil {
		return err
	}
	if err := send(hello{Addr: addr}); err != nil {
		return err
	}
	if err := end(); err != nil {
		return err
	}
	if failed := b.err.Load(); failed != nil {
		return *failed
	}
	top, err := peak()
	if err != nil {
		return err
	}
	return send(bye{Start: b.start.Load(), Bytes: b.bytes.Load(), Peak: top})
}

// Describe implements prometheus.Collector.
func (b *baseline) Describe(ch chan<- *prometheus.Desc) {
	ch <- b.token
	ch <- b.method
	ch <- b.api
	ch <- b.device
}

// Collect implements prometheus.Collector.
func (b *baseline) Collect(ch chan<- prometheus.Metric) {
	tokens, err := b.read(context.Background())
	if err != nil {
		b.err.Store(&err)
		ch <- prometheus.NewInvalidMetric(b.token, err)
		return
	}
	for i := range tokens {
		t := &tokens[i]
		ch <- prometheus.MustNewConstMetric(b.token, prometheus.CounterValue, float64(t.total), targetName, t.id)
		for name, n := range t.methods {
			ch <- prometheus.MustNewConstMetric(b.method, prometheus.CounterValue, float64(n), targetName, t.id, name)
		}
		for name, n := range t.apis {
			ch <- prometheus.MustNewConstMetric(b.api, prometheus.CounterValue, float64(n), targetName, t.id, name)
		}
		for name, n := range t.devices {
			ch <- prometheus.MustNewConstMetric(b.device, prometheus.CounterValue, float64(n), targetName, t.id, name)
		}
	}
}

// tokenRequests are the requests of one token, or of all that are not kept.
type tokenRequests struct {
	id                     string
	total                  int64
	methods, apis, devices map[string]int64
}

func (b *baseline) read(ctx context.Context) ([]tokenRequests, error) {
	b.start.Store(time.Now().UnixNano())
	resp, err := b.get(ctx, b.client)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	b.bytes.Store(resp.ContentLength)
	if b.variant == variantStream {
		return b.stream(resp.Body)
	}
	var r tokenReport
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		return nil, err
	}
	details, others := r.Details, []tokenDetail(nil)
	if b.variant == variantTop && len(details) > b.keep {
		slices.SortFunc(details, func(x, y tokenDetail) int {
			return cmp.Or(cmp.Compare(y.TotalRequests, x.TotalRequests), cmp.Compare(x.Token, y.Token))
		})
		details, others = details[:b.keep], details[b.keep:]
	}
	tokens := make([]tokenRequests, 0, len(details)+1)
	for i := range details {
		c := newCounts(b.id(details[i].Token))
		c.add(&details[i])
		tokens = append(tokens, c)
	}
	if b.variant == variantTop {
		other := newCounts("_other")
		for i := range others {
			other.add(&others[i])
		}
		tokens = append(tokens, other)
	}
	return tokens, nil
}

func newCounts(id string) tokenRequests {
	return tokenRequests{id: id, methods: map[string]int64{}, apis: map[string]int64{}, devices: map[string]int64{}}
}

func (c *tokenRequests) add(d *tokenDetail) {
	c.total += d.TotalRequests
	for i := range d.IPList {
		for name, n := range d.IPList[i].Methods {
			c.methods[name] += n
		}
		for name, n := range d.IPList[i].APIs {
			c.apis[name] += n
		}
		for name, n := range d.IPList[i].Devices {
			c.devices[name] += n
		}
	}
}

// id returns the token id: 16 hex digits of an HMAC, as the exporter's.
func (b *baseline) id(token string) string {
	b.mac.Reset()
	_, _ = io.WriteString(b.mac, token) // a hash never fails
	return hex.EncodeToString(b.mac.Sum(nil)[:8])
}

// stream decodes the rows one by one, which needs methods of json.Decoder that few use: it is here
// so that the comparison of memory is not with json.Unmarshal alone.
func (b *baseline) stream(body io.Reader) ([]tokenRequests, error) {
	dec := json.NewDecoder(bufio.NewReaderSize(body, 64<<10))
	for {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		if t == "details" {
			break
		}
	}
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return nil, errors.Join(err, fmt.Errorf("details is %v", t))
	}
	var kept []tokenDetail
	other := newCounts("_other")
	worst := func(x, y tokenDetail) int {
		return cmp.Or(cmp.Compare(y.TotalRequests, x.TotalRequests), cmp.Compare(x.Token, y.Token))
	}
	for dec.More() {
		var d tokenDetail
		if err := dec.Decode(&d); err != nil {
			return nil, err
		}
		if len(kept) == b.keep && worst(d, kept[len(kept)-1]) > 0 {
			other.add(&d)
			continue
		}
		if len(kept) == b.keep {
			other.add(&kept[len(kept)-1])
			kept = kept[:len(kept)-1]
		}
		i, _ := slices.BinarySearchFunc(kept, d, worst)
		kept = slices.Insert(kept, i, d)
	}
	tokens := make([]tokenRequests, 0, len(kept)+1)
	for i := range kept {
		c := newCounts(b.id(kept[i].Token))
		c.add(&kept[i])
		tokens = append(tokens, c)
	}
	return append(tokens, other), nil
}
