package tools

import (
	"fmt"
	"net"
	"sync"
	"testing"
)

// Ports for programs that are given one to listen on. They are below those that systems choose for
// connections, of which tests make thousands, and in blocks that each belong to one test process:
// go test runs several at once. What listens on the first port of a block holds the block.
const (
	firstPort, lastPort = 20_000, 29_999
	portBlock           = 100
)

var ports struct {
	mu    sync.Mutex
	held  []net.Listener // never closed: a block is given back when the process ends
	block int            // the next to try
	next  int            // port; 0: no block is held
}

// FreeAddress returns an address of loopback on which nothing listens, each only once.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	ports.mu.Lock()
	defer ports.mu.Unlock()
	for {
		if ports.next%portBlock == 0 && !holdPorts() {
			tb.Fatalf("no port is free from %d to %d", firstPort, lastPort)
		}
		address := loopback(ports.next)
		ports.next++
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close() // only its port is needed
			return address
		}
	}
}

// holdPorts takes the next block that nobody holds.
func holdPorts() bool {
	for first := firstPort + ports.block*portBlock; first < lastPort; first += portBlock {
		ports.block++
		if l, err := net.Listen("tcp", loopback(first)); err == nil {
			ports.held, ports.next = append(ports.held, l), first+1
			return true
		}
	}
	return false
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
