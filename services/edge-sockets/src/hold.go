package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// places is how many Caddys may have sockets at once: two while one is replaced, and two more for what an interrupted update left.
const places = 4

// What is said over DIR/socket: whoever connects says what it wants, and keeps the connection for as long as it has the sockets.
const (
	wantsSockets byte = 'S'
	wantsAnswer  byte = 'A'
	isReady      byte = 'R'
)

// socketPath and programPath are where the Caddys find the sockets, and this program.
func socketPath(dir string) string  { return filepath.Join(dir, "socket") }
func programPath(dir string) string { return filepath.Join(dir, "edge-sockets") }

type place struct{ taken, ready bool }

type holder struct {
	groups   []*group
	steering *quicSteering
	mutex    sync.Mutex
	places   [places]place
	// now is the place that gets what is new. It stays when its Caddy goes and no other is ready: what comes in waits for the next one.
	now int
}

func hold(dir string, specs []string) error {
	h := &holder{}
	for _, spec := range specs {
		made, err := openGroup(spec, places)
		if err != nil {
			return err
		}
		h.groups = append(h.groups, made)
		if made.network == "udp" {
			if h.steering != nil {
				return errors.New("one UDP socket is as many as can be steered")
			}
			if h.steering, err = newQUICSteering(made.address.Port); err != nil {
				return err
			}
		}
	}
	if err := h.choose(0); err != nil {
		return err
	}
	if err := copyProgram(dir); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	path := socketPath(dir)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	// Who may connect is who has the volume; the Caddys run as another user.
	if err := os.Chmod(path, 0o666); err != nil {
		return err
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-ended
		os.Exit(0)
	}()
	log.Printf("holding %v", specs)
	for {
		connection, err := listener.AcceptUnix()
		if err != nil {
			return err
		}
		go h.serve(connection)
	}
}

// copyProgram puts this program where the Caddys, whose image does not have it, can run it.
func copyProgram(dir string) error {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	part := programPath(dir) + ".part"
	target, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, self)
	if err := errors.Join(err, target.Close()); err != nil {
		return err
	}
	return os.Rename(part, programPath(dir))
}

func (h *holder) choose(number int) error {
	for _, each := range h.groups {
		if err := each.choose(number); err != nil {
			return err
		}
	}
	if h.steering != nil {
		if err := h.steering.choose(number); err != nil {
			return err
		}
	}
	h.now = number
	return nil
}

func (h *holder) serve(connection *net.UnixConn) {
	defer connection.Close()
	want := make([]byte, 1)
	_ = connection.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(connection, want); err != nil {
		return
	}
	_ = connection.SetReadDeadline(time.Time{})
	switch want[0] {
	case wantsAnswer:
		_, _ = connection.Write([]byte{wantsAnswer})
	case wantsSockets:
		number, err := h.take()
		if err != nil {
			log.Print(err)
			return
		}
		defer h.leave(number)
		var sockets []int
		for _, each := range h.groups {
			sockets = append(sockets, each.sockets[number])
		}
		if _, _, err := connection.WriteMsgUnix([]byte{wantsSockets}, syscall.UnixRights(sockets...), nil); err != nil {
			log.Printf("place %d: %v", number, err)
			return
		}
		said := make([]byte, 1)
		for {
			if _, err := connection.Read(said); err != nil {
				return
			}
			if said[0] == isReady {
				h.ready(number)
			}
		}
	}
}

// take gives the place of now to whoever comes when it is free: connections may wait there. Else any free one.
func (h *holder) take() (int, error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for step := range places {
		number := (h.now + step) % places
		if !h.places[number].taken {
			h.places[number] = place{taken: true}
			log.Printf("place %d: taken", number)
			return number, nil
		}
	}
	return 0, fmt.Errorf("all %d places are taken: who comes now has to wait until one is left", places)
}

func (h *holder) ready(number int) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.places[number].ready = true
	h.move(number)
}

func (h *holder) leave(number int) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.places[number] = place{}
	log.Printf("place %d: left", number)
	if number != h.now {
		return
	}
	// It ended without a word. Who waits for it alone tries again, at another.
	for other, each := range h.places {
		if each.ready {
			h.move(other)
			break
		}
	}
	if number != h.now {
		for _, each := range h.groups {
			each.empty(number)
		}
	}
}

func (h *holder) move(number int) {
	if err := h.choose(number); err != nil {
		log.Printf("place %d: %v", number, err)
		return
	}
	log.Printf("place %d: gets what is new", number)
}

func healthy(dir string) error {
	connection, err := net.DialTimeout("unix", socketPath(dir), 4*time.Second)
	if err != nil {
		return err
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(4 * time.Second))
	if _, err := connection.Write([]byte{wantsAnswer}); err != nil {
		return err
	}
	_, err = io.ReadFull(connection, make([]byte, 1))
	return err
}
