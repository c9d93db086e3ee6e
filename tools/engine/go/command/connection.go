package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
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

func valueOr[T any](pointer *T, fallback T) T {
	if pointer == nil {
		return fallback
	}
	return *pointer
}

func (e Endpoint) address() string {
	return net.JoinHostPort(e.Host, strconv.Itoa(valueOr(e.Port, defaultPort)))
}

// dial opens a connection, trying again until the limit: a machine that was just made needs a moment.
func (c Connection) dial(ctx context.Context) (*ssh.Client, error) {
	limit := valueOr(c.DialErrorLimit, defaultDialErrorLimit)
	for attempt := 1; ; attempt++ {
		client, err := c.dialOnce(ctx)
		if err == nil {
			return client, nil
		}
		// Another try cannot mend a key that does not fit.
		var wrongKey *hostKeyError
		if errors.As(err, &wrongKey) || (limit > 0 && attempt >= limit) || ctx.Err() != nil {
			return nil, err
		}
		p.GetLogger(ctx).InfoStatusf("dialing %s, attempt %d failed: %v", c.address(), attempt, err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (c Connection) dialOnce(ctx context.Context) (*ssh.Client, error) {
	if c.Proxy == nil {
		return c.connect(ctx, (&net.Dialer{Timeout: c.timeout()}).DialContext)
	}
	proxy, err := c.Proxy.connect(ctx, (&net.Dialer{Timeout: c.Proxy.timeout()}).DialContext)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	client, err := c.connect(ctx, proxy.DialContext)
	if err != nil {
		_ = proxy.Close()
	}
	return client, err
}

func (e Endpoint) timeout() time.Duration {
	return time.Duration(valueOr(e.PerDialTimeout, defaultPerDialTimeout)) * time.Second
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func (e Endpoint) connect(ctx context.Context, dial dialer) (*ssh.Client, error) {
	config, err := e.clientConfig()
	if err != nil {
		return nil, err
	}
	socket, err := dial(ctx, "tcp", e.address())
	if err != nil {
		return nil, err
	}
	connection, channels, requests, err := ssh.NewClientConn(socket, e.address(), config)
	if err != nil {
		_ = socket.Close()
		return nil, err
	}
	return ssh.NewClient(connection, channels, requests), nil
}

func (e Endpoint) clientConfig() (*ssh.ClientConfig, error) {
	config := &ssh.ClientConfig{User: valueOr(e.User, defaultUser), Timeout: e.timeout()}
	if err := e.checkHostKey(config); err != nil {
		return nil, err
	}
	if e.PrivateKey != nil {
		signer, err := e.signer()
		if err != nil {
			return nil, fmt.Errorf("privateKey: %w", err)
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if e.Password != nil {
		config.Auth = append(config.Auth, ssh.Password(*e.Password))
	}
	if path := valueOr(e.AgentSocketPath, os.Getenv("SSH_AUTH_SOCK")); path != "" {
		socket, err := net.Dial("unix", path)
		if err != nil && e.AgentSocketPath != nil {
			return nil, fmt.Errorf("agentSocketPath: %w", err)
		}
		if err == nil {
			config.Auth = append(config.Auth, ssh.PublicKeysCallback(agent.NewClient(socket).Signers))
		}
	}
	return config, nil
}

func (e Endpoint) signer() (ssh.Signer, error) {
	if e.PrivateKeyPassword != nil {
		return ssh.ParsePrivateKeyWithPassphrase([]byte(*e.PrivateKey), []byte(*e.PrivateKeyPassword))
	}
	return ssh.ParsePrivateKey([]byte(*e.PrivateKey))
}

// hostKeyError says that a machine is not the one that was pinned.
type hostKeyError struct{ host, wanted, given string }

func (e *hostKeyError) Error() string {
	return fmt.Sprintf("the host key of %s is %s, not the pinned %s: the machine was replaced, or somebody is in between; "+
		"compare the key on the machine's own console before you pin the new one", e.host, e.given, e.wanted)
}

// checkHostKey refuses every key but the pinned one. Without a pin any key is taken, as by the official provider; the
// policies refuse such a connection.
func (e Endpoint) checkHostKey(config *ssh.ClientConfig) error {
	if e.HostKey == nil {
		config.HostKeyCallback = ssh.InsecureIgnoreHostKey()
		return nil
	}
	wanted, _, _, _, err := ssh.ParseAuthorizedKey([]byte(*e.HostKey))
	if err != nil {
		return fmt.Errorf("hostKey: %w", err)
	}
	config.HostKeyAlgorithms = algorithmsOf(wanted.Type())
	config.HostKeyCallback = func(host string, _ net.Addr, given ssh.PublicKey) error {
		if !bytes.Equal(given.Marshal(), wanted.Marshal()) {
			return &hostKeyError{host, ssh.FingerprintSHA256(wanted), ssh.FingerprintSHA256(given)}
		}
		return nil
	}
	return nil
}

// algorithmsOf lists the signatures that a key of a type can make.
func algorithmsOf(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}
