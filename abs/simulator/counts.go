package simulator

import "bytes"

// count is the requests with one value of a dimension.
type count struct {
	value string
	n     int64
}

type counts []count

func (c *counts) add(value string, n int64) {
	for i := range *c {
		if (*c)[i].value == value {
			(*c)[i].n += n
			return
		}
	}
	*c = append(*c, count{value, n})
}

func (c *counts) merge(others counts) {
	for _, o := range others {
		c.add(o.value, o.n)
	}
}

// tokenCounts are the requests of one token, split as a report splits them. It is filled again and
// again for one token after the other, so that a report of many tokens allocates nothing for each.
type tokenCounts struct {
	token     []byte
	total     int64
	addresses []addressCounts
}

type addressCounts struct {
	ip                           []byte
	total                        int64
	devices, methods, urls, apis counts
}

// append adds an address without requests. It reuses the memory of one that an earlier token had.
func (c *tokenCounts) append() *addressCounts {
	n := len(c.addresses)
	if n == cap(c.addresses) {
		c.addresses = append(c.addresses, addressCounts{})
	}
	c.addresses = c.addresses[:n+1]
	a := &c.addresses[n]
	*a = addressCounts{a.ip[:0], 0, a.devices[:0], a.methods[:0], a.urls[:0], a.apis[:0]}
	return a
}

func (c *tokenCounts) address(ip []byte) *addressCounts {
	for i := range c.addresses {
		if bytes.Equal(c.addresses[i].ip, ip) {
			return &c.addresses[i]
		}
	}
	a := c.append()
	a.ip = append(a.ip, ip...)
	return a
}

func (c *tokenCounts) add(e *Event) {
	c.total += e.N
	a := c.address([]byte(e.IP))
	a.total += e.N
	a.devices.add(e.Device, e.N)
	a.methods.add(e.Method, e.N)
	a.urls.add(e.URL, e.N)
	a.apis.add(e.API, e.N)
}

func (c *tokenCounts) merge(o *tokenCounts) {
	c.total += o.total
	for i := range o.addresses {
		from := &o.addresses[i]
		to := c.address(from.ip)
		to.total += from.total
		to.devices.merge(from.devices)
		to.methods.merge(from.methods)
		to.urls.merge(from.urls)
		to.apis.merge(from.apis)
	}
}

// fill replaces the counts by the generated requests of a token. No value of a profile occurs
// twice, so nothing has to be looked up.
func (t *traffic) fill(c *tokenCounts, id tokenID, p *profile, sum *tally) {
	c.token = t.appendToken(c.token[:0], id)
	c.total = sum.total
	c.addresses = c.addresses[:0]
	for j := range p.ips {
		i := &sum.ip[j]
		if i.total == 0 {
			continue
		}
		a := c.append()
		a.ip = p.appendIP(a.ip, j)
		a.total = i.total
		for d, n := range i.device {
			a.devices.append(devices[p.device[d]], n)
		}
		for m, name := range methods {
			a.methods.append(name, i.method[m])
		}
		for u := range p.url {
			a.urls.append(t.urls[p.urlIndex(u)], i.url[u])
		}
		for k := range p.apis {
			a.apis.append(t.apis[p.api[k]], i.api[k])
		}
	}
}

// append adds a value that is not there yet, unless it has no requests.
func (c *counts) append(value string, n int64) {
	if n > 0 {
		*c = append(*c, count{value, n})
	}
}

// countsOf returns the requests of one token in a view; of an unknown one it has none.
func (t *traffic) countsOf(v *view, token string) *tokenCounts {
	c := &tokenCounts{token: []byte(token)}
	if id, ok := t.find(token); ok && len(v.seconds) > 0 {
		p, sum := t.profile(t.tokenSeed(id)), tally{}
		t.visit(id, v, &p, &sum)
		t.fill(c, id, &p, &sum)
		if added := v.mixed[id]; added != nil {
			c.merge(added)
		}
	}
	for _, o := range v.others {
		if string(o.token) == token {
			c.merge(o)
		}
	}
	return c
}
