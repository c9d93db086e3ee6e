// edge-client sends requests over one version of HTTP until it is told to stop (its input ends), and tells what came of them.
//
//	edge-client -protocol h1|h2|h3 -url URL [-workers N] [-rate N] [-fresh N] [-least N]   requests, again and again
//	edge-client -protocol h1|h2|h3 -url URL -upload BYTES -seconds N               uploads that take some time, one after another
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

type result struct {
	Sent     int64            `json:"sent"`
	Answered map[string]int64 `json:"answered"`
	Failed   map[string]int64 `json:"failed"`
	// Bytes that answers had, or uploads.
	Bytes int64 `json:"bytes"`
	// Connections that were made.
	Connections int64 `json:"connections"`
	SlowestMs   int64 `json:"slowestMs"`
}

type tally struct {
	mutex       sync.Mutex
	result      result
	connections atomic.Int64
}

func (t *tally) add(status int, n int64, err error, took time.Duration) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.result.Sent++
	t.result.Bytes += n
	t.result.SlowestMs = max(t.result.SlowestMs, took.Milliseconds())
	if err != nil {
		t.result.Failed[err.Error()]++
		fmt.Fprintln(os.Stderr, time.Now().UTC().Format(time.RFC3339Nano), err)
	} else {
		t.result.Answered[fmt.Sprint(status)]++
	}
}

// patience is longer than the edge gives any answer.
const patience = 90 * time.Second

// transport makes connections that skip the certificate: the tests speak to the loopback.
func transport(protocol, to, from string, t *tally) (http.RoundTripper, error) {
	insecure := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}
	source := net.ParseIP(from)
	switch protocol {
	case "h1", "h2":
		made := &http.Transport{TLSClientConfig: insecure, ForceAttemptHTTP2: protocol == "h2", MaxIdleConnsPerHost: 64}
		if protocol == "h1" {
			made.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		}
		made.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			t.connections.Add(1)
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: source}}
			return dialer.DialContext(ctx, network, to)
		}
		return made, nil
	case "h3":
		socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: source})
		if err != nil {
			return nil, err
		}
		// One port for all of its connections, as some clients have it.
		port := &quic.Transport{Conn: socket}
		return &http3.Transport{TLSClientConfig: insecure, Dial: func(ctx context.Context, _ string, tlsConfig *tls.Config, quicConfig *quic.Config) (*quic.Conn, error) {
			t.connections.Add(1)
			address, err := net.ResolveUDPAddr("udp4", to)
			if err != nil {
				return nil, err
			}
			return port.DialEarly(ctx, address, tlsConfig, quicConfig)
		}}, nil
	}
	return nil, errors.New("-protocol: h1, h2 or h3")
}

// slowly gives size bytes, evenly over the time.
type slowly struct {
	size, given int
	over        time.Duration
	begun       time.Time
}

func (s *slowly) Read(into []byte) (int, error) {
	if s.given == 0 {
		s.begun = time.Now()
	}
	for {
		due := s.size
		if passed := time.Since(s.begun); passed < s.over {
			due = 1 + int(float64(s.size-1)*passed.Seconds()/s.over.Seconds())
		}
		if due > s.given {
			n := min(due-s.given, len(into))
			for index := range n {
				into[index] = ' '
			}
			s.given += n
			return n, nil
		}
		if s.given == s.size {
			return 0, io.EOF
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func main() {
	protocol := flag.String("protocol", "", "h1, h2 or h3")
	url := flag.String("url", "", "what to ask for")
	to := flag.String("to", "", "host and port to connect to")
	method := flag.String("method", "POST", "a POST is not sent again by the library when a connection breaks")
	from := flag.String("from", "127.0.0.1", "address of this machine to send from")
	authorization := flag.String("authorization", "", "the header")
	workers := flag.Int("workers", 4, "requests at a time")
	rate := flag.Float64("rate", 100, "most requests a second")
	fresh := flag.Int64("fresh", 10, "every how many requests on a new connection")
	upload := flag.Int("upload", 0, "bytes")
	least := flag.Int64("least", 0, "requests that are sent in any case")
	seconds := flag.Int("seconds", 5, "how long an upload takes")
	flag.Parse()

	t := &tally{result: result{Answered: map[string]int64{}, Failed: map[string]int64{}}}
	stop, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()

	once := func(through http.RoundTripper) {
		bodyAgain := func() (io.ReadCloser, error) {
			return io.NopCloser(&slowly{size: *upload, over: time.Duration(*seconds) * time.Second}), nil
		}
		var body io.Reader
		if *upload > 0 {
			body, _ = bodyAgain()
		}
		request, err := http.NewRequest(*method, *url, body)
		if err != nil {
			panic(err)
		}
		if *upload > 0 {
			request.ContentLength = int64(*upload)
			// For HTTP/2 and 3, where a server may say that it has not begun with a request: clients send a file again.
			request.GetBody = bodyAgain
		}
		if *authorization != "" {
			request.Header.Set("Authorization", *authorization)
		}
		begun := time.Now()
		patience, enough := context.WithTimeout(context.Background(), patience)
		defer enough()
		answer, err := through.RoundTrip(request.WithContext(patience))
		if err != nil {
			t.add(0, 0, err, time.Since(begun))
			return
		}
		defer answer.Body.Close()
		n, err := io.Copy(io.Discard, answer.Body)
		if err == nil && answer.ContentLength > 0 && n != answer.ContentLength {
			err = fmt.Errorf("%d of %d bytes", n, answer.ContentLength)
		}
		if *upload > 0 {
			n += int64(*upload)
		}
		t.add(answer.StatusCode, n, err, time.Since(begun))
	}

	make := func() http.RoundTripper {
		made, err := transport(*protocol, *to, *from, t)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(64)
		}
		return made
	}
	// What takes long has a connection of its own: its body cannot be sent again.
	long := *upload > 0
	shared := make()
	pace := time.Duration(float64(time.Second) * float64(*workers) / *rate)
	var all sync.WaitGroup
	var begun atomic.Int64
	for range *workers {
		all.Add(1)
		go func() {
			defer all.Done()
			through := shared
			if long {
				through = make()
			}
			for index := int64(1); stop.Err() == nil || begun.Load() < *least; index++ {
				begun.Add(1)
				at := time.Now()
				if !long && *fresh > 0 && index%*fresh == 0 {
					own := make()
					once(own)
					switch each := own.(type) {
					case *http.Transport:
						each.CloseIdleConnections()
					case *http3.Transport:
						each.Close()
					}
				} else {
					once(through)
				}
				if !long {
					time.Sleep(pace - time.Since(at))
				}
			}
		}()
	}
	all.Wait()
	t.result.Connections = t.connections.Load()
	_ = json.NewEncoder(os.Stdout).Encode(t.result)
}
