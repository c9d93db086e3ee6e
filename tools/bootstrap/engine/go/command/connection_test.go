package command

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var nothing = ScriptInputs{Create: pointer("true")}

func TestAnotherHostKeyThanThePinnedOneIsRefusedAtOnce(t *testing.T) {
	host, other := startServer(t), startServer(t)
	host.connection.HostKey = other.connection.HostKey
	host.connection.DialErrorLimit = pointer(-1)
	_, err := create(host, nothing)
	wantError(t, err, "not the pinned", "somebody is in between")
}

func TestEveryTypeOfHostKeyCanBePinned(t *testing.T) {
	host := startServer(t)
	for _, keyType := range []string{"rsa", "ecdsa", "ed25519"} {
		host.connection.HostKey = pointer(read(t, filepath.Join(host.folder, "host-"+keyType+".pub")))
		if _, err := create(host, nothing); err != nil {
			t.Errorf("%s: %v", keyType, err)
		}
	}
}

func TestAHostWithoutAKeyOfThePinnedTypeIsRefusedAtOnce(t *testing.T) {
	host := startServer(t, "HostKeyAlgorithms rsa-sha2-512")
	host.connection.DialErrorLimit = pointer(-1)
	_, err := create(host, nothing)
	wantError(t, err, "no host key of the pinned one's type")
}

func TestAHostKeyThatIsNoneIsRefused(t *testing.T) {
	host := startServer(t)
	host.connection.HostKey = pointer("nonsense")
	_, err := create(host, nothing)
	wantError(t, err, "hostKey")
}

func TestAWrongKeyIsRefused(t *testing.T) {
	host, other := startServer(t), startServer(t)
	host.connection.PrivateKey = other.connection.PrivateKey
	_, err := create(host, nothing)
	wantError(t, err, "after 1 failed attempts", "unable to authenticate")
}

func TestAKeyWithAPasswordIsOpened(t *testing.T) {
	host := startServer(t)
	run(t, "ssh-keygen", "-q", "-p", "-P", "", "-N", "its password", "-f", host.userKey)
	host.connection.PrivateKey = pointer(read(t, host.userKey))
	host.connection.PrivateKeyPassword = pointer("its password")
	if _, err := create(host, nothing); err != nil {
		t.Fatal(err)
	}
	host.connection.PrivateKeyPassword = pointer("another")
	host.connection.DialErrorLimit = pointer(-1)
	_, err := create(host, nothing)
	wantError(t, err, "privateKey")
}

func TestAnAgentHoldsTheKey(t *testing.T) {
	host := startServer(t)
	socket := filepath.Join(host.folder, "agent")
	agent := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = agent.Process.Kill()
		_ = agent.Wait()
	})
	t.Setenv("SSH_AUTH_SOCK", socket)
	for end := time.Now().Add(5 * time.Second); exec.Command("ssh-add", "-q", host.userKey).Run() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the agent does not answer")
		}
	}
	host.connection.PrivateKey = nil
	if _, err := create(host, nothing); err != nil {
		t.Fatalf("from SSH_AUTH_SOCK: %v", err)
	}
	t.Setenv("SSH_AUTH_SOCK", "")
	host.connection.AgentSocketPath = &socket
	if _, err := create(host, nothing); err != nil {
		t.Fatalf("from agentSocketPath: %v", err)
	}
}

func TestAHostThatIsNotThereYetIsWaitedFor(t *testing.T) {
	host := startServer(t)
	target := *host.connection.Port
	late := freePort(t)
	host.connection.Port = &late
	host.connection.DialErrorLimit = pointer(-1)
	time.AfterFunc(time.Second, func() { forward(t, late, target) })
	state, err := create(host, ScriptInputs{Create: pointer("echo there")})
	wantStdout(t, state, err, "there")
}

func TestAHostThatSaysNothingIsGivenUp(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	start := time.Now()
	_, err = create(server{connection: Connection{Endpoint: Endpoint{
		Host: "127.0.0.1", Port: pointer(listener.Addr().(*net.TCPAddr).Port), Password: pointer("any"),
		PerDialTimeout: pointer(1), DialErrorLimit: pointer(0),
	}}}, nothing)
	if err == nil || time.Since(start) > 5*time.Second {
		t.Fatalf("after %v: %v", time.Since(start), err)
	}
}

func TestAPasswordIsGivenInBothWays(t *testing.T) {
	for _, way := range []string{"password", "keyboard-interactive"} {
		address, hostKey := passwordServer(t, way, "the password")
		_, port, _ := strings.Cut(address, ":")
		endpoint := Endpoint{
			Host: "127.0.0.1", Port: pointer(number(t, port)), User: pointer("somebody"), HostKey: &hostKey,
			Password: pointer("the password"), DialErrorLimit: pointer(0),
		}
		client, err := Connection{Endpoint: endpoint}.dial(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", way, err)
		}
		_ = client.Close()
		endpoint.Password = pointer("another")
		_, err = Connection{Endpoint: endpoint}.dial(t.Context())
		wantError(t, err, "unable to authenticate")
	}
}
