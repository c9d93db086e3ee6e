package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"golang.org/x/crypto/ssh"
)

// Endpoint is how a machine is reached.
type Endpoint struct {
	Host               string  `pulumi:"host"`
	Port               *int    `pulumi:"port,optional"`
	User               *string `pulumi:"user,optional"`
	Password           *string `pulumi:"password,optional" provider:"secret"`
	PrivateKey         *string `pulumi:"privateKey,optional" provider:"secret"`
	PrivateKeyPassword *string `pulumi:"privateKeyPassword,optional" provider:"secret"`
	AgentSocketPath    *string `pulumi:"agentSocketPath,optional"`
	HostKey            *string `pulumi:"hostKey,optional"`
	DialErrorLimit     *int    `pulumi:"dialErrorLimit,optional"`
	PerDialTimeout     *int    `pulumi:"perDialTimeout,optional"`
}

// Connection is an endpoint, and another one to jump through.
type Connection struct {
	Endpoint
	Proxy *ProxyConnection `pulumi:"proxy,optional"`
}

// ProxyConnection is the machine to jump through.
type ProxyConnection struct {
	Endpoint
}

// The official provider's defaults.
const (
	defaultPort           = 22
	defaultUser           = "root"
	defaultDialErrorLimit = 10
	defaultPerDialTimeout = 15
)

// The pause after a failed attempt, which grows by half up to the longest one.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// Annotate writes the defaults into the state, where the official provider has them too.
func (c *Connection) Annotate(a infer.Annotator) {
	a.SetToken("remote", "Connection")
	annotateDefaults(a, &c.Endpoint)
}

// Annotate writes the defaults into the state, where the official provider has them too.
func (c *ProxyConnection) Annotate(a infer.Annotator) {
	a.SetToken("remote", "ProxyConnection")
	annotateDefaults(a, &c.Endpoint)
}

func annotateDefaults(a infer.Annotator, e *Endpoint) {
	a.SetDefault(&e.Port, defaultPort)
	a.SetDefault(&e.User, defaultUser)
	a.SetDefault(&e.DialErrorLimit, defaultDialErrorLimit)
	a.SetDefault(&e.PerDialTimeout, defaultPerDialTimeout)
}

func (e Endpoint) address() string {
	return net.JoinHostPort(e.Host, strconv.Itoa(valueOr(e.Port, defaultPort)))
}

func (e Endpoint) timeout() time.Duration {
	return time.Duration(valueOr(e.PerDialTimeout, defaultPerDialTimeout)) * time.Second
}

// dial opens a connection, through the proxy where there is one. Each of the two has attempts of its own.
func (c Connection) dial(ctx context.Context) (*ssh.Client, error) {
	if c.Proxy == nil {
		return c.Endpoint.dial(ctx, (&net.Dialer{Timeout: c.timeout()}).DialContext)
	}
	proxy, err := c.Proxy.Endpoint.dial(ctx, (&net.Dialer{Timeout: c.Proxy.timeout()}).DialContext)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	client, err := c.Endpoint.dial(ctx, proxy.DialContext)
	if err != nil {
		_ = proxy.Close()
		return nil, err
	}
	go func() {
		_ = client.Wait()
		_ = proxy.Close()
	}()
	return client, nil
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// dial tries again until `dialErrorLimit` attempts too many have failed: a machine that was just made needs a moment.
func (e Endpoint) dial(ctx context.Context, open dialer) (*ssh.Client, error) {
	limit := valueOr(e.DialErrorLimit, defaultDialErrorLimit)
	pause := firstPause
	for failed := 1; ; failed++ {
		client, err := e.connect(ctx, open)
		if err == nil {
			return client, nil
		}
		// Another attempt mends neither a host key that does not fit nor what is wrong with the inputs.
		var final *finalError
		if errors.As(err, &final) || ctx.Err() != nil {
			return nil, err
		}
		if limit >= 0 && failed > limit {
			return nil, fmt.Errorf("after %d failed attempts: %w", failed, err)
		}
		p.GetLogger(ctx).InfoStatusf("%s: attempt %d failed: %v", e.address(), failed, err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		pause = min(pause*3/2, longestPause)
	}
}

func (e Endpoint) connect(ctx context.Context, open dialer) (*ssh.Client, error) {
	config, done, err := e.clientConfig()
	if err != nil {
		return nil, err
	}
	defer done()
	socket, err := open(ctx, "tcp", e.address())
	if err != nil {
		return nil, err
	}
	// A machine that takes the connection and then says nothing counts as one that does not answer.
	if timeout := e.timeout(); timeout > 0 {
		defer time.AfterFunc(timeout, func() { _ = socket.Close() }).Stop()
	}
	defer context.AfterFunc(ctx, func() { _ = socket.Close() })()
	connection, channels, requests, err := ssh.NewClientConn(socket, e.address(), config)
	if err != nil {
		_ = socket.Close()
		return nil, e.explain(err)
	}
	return ssh.NewClient(connection, channels, requests), nil
}

// finalError is one that another attempt would meet again.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

func final(format string, args ...any) error { return &finalError{fmt.Errorf(format, args...)} }
