package command

import (
	"bytes"
	"errors"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// clientConfig is how the user logs in and which host key is expected. The function that it returns lets go of the agent.
func (e Endpoint) clientConfig() (*ssh.ClientConfig, func(), error) {
	nothing := func() {}
	config := &ssh.ClientConfig{User: valueOr(e.User, defaultUser), Timeout: e.timeout()}
	if err := e.checkHostKey(config); err != nil {
		return nil, nothing, err
	}
	if e.PrivateKey != nil {
		signer, err := e.signer()
		if err != nil {
			return nil, nothing, final("privateKey: %w", err)
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if e.Password != nil {
		config.Auth = append(config.Auth, ssh.Password(*e.Password), ssh.KeyboardInteractive(e.answer))
	}
	path := valueOr(e.AgentSocketPath, os.Getenv("SSH_AUTH_SOCK"))
	// A login tries one source of keys only, and a key that was given comes first.
	if path == "" || e.PrivateKey != nil {
		return config, nothing, nil
	}
	socket, err := net.Dial("unix", path)
	if err != nil {
		if e.AgentSocketPath == nil && e.Password != nil {
			return config, nothing, nil
		}
		return nil, nothing, final("the SSH agent: %w", err)
	}
	config.Auth = append(config.Auth, ssh.PublicKeysCallback(agent.NewClient(socket).Signers))
	return config, func() { _ = socket.Close() }, nil
}

func (e Endpoint) signer() (ssh.Signer, error) {
	if e.PrivateKeyPassword != nil {
		return ssh.ParsePrivateKeyWithPassphrase([]byte(*e.PrivateKey), []byte(*e.PrivateKeyPassword))
	}
	return ssh.ParsePrivateKey([]byte(*e.PrivateKey))
}

// answer gives the password to every question: many hosts ask for it that way instead.
func (e Endpoint) answer(_, _ string, questions []string, _ []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i := range answers {
		answers[i] = *e.Password
	}
	return answers, nil
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
		return final("hostKey: %w", err)
	}
	// The host has keys of several types and shows the one that is asked for.
	config.HostKeyAlgorithms = algorithmsOf(wanted.Type())
	config.HostKeyCallback = func(host string, _ net.Addr, given ssh.PublicKey) error {
		if bytes.Equal(given.Marshal(), wanted.Marshal()) {
			return nil
		}
		return final("the host key of %s is %s, not the pinned %s: the machine was replaced, or somebody is in between; "+
			"compare the key on the machine's own console before you pin the new one",
			host, ssh.FingerprintSHA256(given), ssh.FingerprintSHA256(wanted))
	}
	return nil
}

// explain says of a handshake that failed for want of a common host key algorithm what that means here.
func (e Endpoint) explain(err error) error {
	var negotiation *ssh.AlgorithmNegotiationError
	if e.HostKey != nil && errors.As(err, &negotiation) {
		return final("%s shows no host key of the pinned one's type: the machine was replaced, or somebody is in between: %w",
			e.address(), err)
	}
	return err
}

// algorithmsOf lists the signatures that a key of a type can make.
func algorithmsOf(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}
