package main

import (
	"fmt"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// A TCP connection stays with the socket that it was made on. A datagram says by itself alone which connection it belongs to, so
// the kernel's packet filter remembers that: by the connection's id (RFC 9000, 5.1), of which the first four bytes are enough, and,
// for an id that it has not seen, by the client's address and port. Some clients open a new connection, to the new Caddy, from the
// port of one that the former Caddy still serves.
//
// The mark that it gives a datagram is the number of the place.

// remembered is longer than a connection may be silent (Caddy's idle timeout, two minutes).
const remembered = 3 * time.Minute

// entries bounds the memory of each map, some megabytes. When one is full, what is new goes to the place of now.
const entries = 65535

// Where the parts of a datagram lie, counted from the UDP header (RFC 9000, 17.2 and 17.3).
const (
	firstByte   = 8  // the kind of packet
	longIDSize  = 13 // a long header's: after the first byte and the version
	longID      = 14
	shortID     = 9
	idSize      = 4
	newIDAtMost = 8 // the id that a client invents for its first packets has 8 bytes or more (RFC 9000, 7.2); Caddy's own have 4
)

// opDelete is NFT_DYNSET_OP_DELETE of linux/netfilter/nf_tables.h (Linux 5.4), which the library has no name for.
const opDelete = 2

// Registers of nf_tables. The second one of four bytes follows upon the first, and so joins a key of two parts.
const (
	regKey     = unix.NFT_REG32_00
	regKeyRest = unix.NFT_REG32_01
	regPlace   = unix.NFT_REG32_04
)

type quicSteering struct {
	port       int
	table      *nftables.Table
	rules      *nftables.Chain
	ids, flows *nftables.Set
}

func placeValue(place int) []byte { return binaryutil.NativeEndian.PutUint32(uint32(place)) }

// load takes n bytes of a datagram.
func load(register uint32, base expr.PayloadBase, offset, n uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: base, Offset: offset, Len: n}
}

func transport(register uint32, offset, n uint32) expr.Any {
	return load(register, expr.PayloadBaseTransportHeader, offset, n)
}

// is asks whether the first byte, of which mask tells the bits, is value.
func is(mask, value byte) []expr.Any {
	return []expr.Any{
		transport(regKey, firstByte, 1),
		&expr.Bitwise{SourceRegister: regKey, DestRegister: regKey, Len: 1, Mask: []byte{mask}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpEq, Register: regKey, Data: []byte{value}},
	}
}

var (
	long    = is(0x80, 0x80)
	short   = is(0x80, 0x00)
	initial = is(0xf0, 0xc0)
	// A connection's first packets, whose id is the client's own.
	beginning = []expr.Any{
		transport(regKey, longIDSize, 1),
		&expr.Cmp{Op: expr.CmpOpGte, Register: regKey, Data: []byte{newIDAtMost}},
	}
	byLongID  = []expr.Any{transport(regKey, longID, idSize)}
	byShortID = []expr.Any{transport(regKey, shortID, idSize)}
	byFlow    = []expr.Any{
		load(regKey, expr.PayloadBaseNetworkHeader, 12, 4), // the client's address
		transport(regKeyRest, 0, 2),                        // and its port
	}
	mark = []expr.Any{&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: regPlace}}
	done = []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}}
)

func found(in *nftables.Set) []expr.Any {
	return []expr.Any{&expr.Lookup{
		SourceRegister: regKey, DestRegister: regPlace, IsDestRegSet: true, SetName: in.Name, SetID: in.ID,
	}}
}

// remember notes the place of a key that is not known yet; of one that is, it makes the time begin anew.
func remember(in *nftables.Set) []expr.Any { return change(in, unix.NFT_DYNSET_OP_UPDATE) }

// replace notes the place of a key, whatever it was before: an update would leave that.
func replace(in *nftables.Set) []expr.Any {
	return append(change(in, opDelete), change(in, unix.NFT_DYNSET_OP_UPDATE)...)
}

func change(in *nftables.Set, operation uint32) []expr.Any {
	return []expr.Any{&expr.Dynset{
		SrcRegKey: regKey, SrcRegData: regPlace, SetName: in.Name, SetID: in.ID, Operation: operation,
	}}
}

func is4(place int) []expr.Any {
	return []expr.Any{&expr.Immediate{Register: regPlace, Data: placeValue(place)}}
}

// newQUICSteering needs CAP_NET_ADMIN, in the network namespace of the sockets.
func newQUICSteering(port int) (*quicSteering, error) {
	table := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "edge_sockets"}
	policy := nftables.ChainPolicyAccept
	steering := &quicSteering{
		port:  port,
		table: table,
		rules: &nftables.Chain{Table: table, Name: "quic"},
		ids: &nftables.Set{
			Table: table, Name: "ids", KeyType: nftables.TypeInteger, DataType: nftables.TypeMark,
			IsMap: true, Dynamic: true, HasTimeout: true, Timeout: remembered, Size: entries,
		},
		flows: &nftables.Set{
			Table: table, Name: "flows", DataType: nftables.TypeMark, Concatenation: true,
			KeyType: nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService),
			IsMap:   true, Dynamic: true, HasTimeout: true, Timeout: remembered, Size: entries,
		},
	}
	connection, err := nftables.New()
	if err != nil {
		return nil, err
	}
	connection.AddTable(table)
	connection.DelTable(table)
	connection.AddTable(table)
	for _, set := range []*nftables.Set{steering.ids, steering.flows} {
		if err := connection.AddSet(set, nil); err != nil {
			return nil, err
		}
	}
	connection.AddChain(steering.rules)
	entry := connection.AddChain(&nftables.Chain{
		Table: table, Name: "prerouting", Type: nftables.ChainTypeFilter, Policy: &policy,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityRaw,
	})
	connection.AddRule(&nftables.Rule{Table: table, Chain: entry, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: regKey},
		&expr.Cmp{Op: expr.CmpOpEq, Register: regKey, Data: []byte{unix.IPPROTO_UDP}},
		transport(regKey, 2, 2),
		&expr.Cmp{Op: expr.CmpOpEq, Register: regKey, Data: binaryutil.BigEndian.PutUint16(uint16(port))},
		&expr.Verdict{Kind: expr.VerdictJump, Chain: steering.rules.Name},
	}})
	if err := connection.Flush(); err != nil {
		return nil, fmt.Errorf("the packet filter takes no rules: %w", err)
	}
	return steering, nil
}

// choose gives new connections to a place, in one transaction; those that are there stay where they are.
func (q *quicSteering) choose(place int) error {
	connection, err := nftables.New()
	if err != nil {
		return err
	}
	connection.FlushChain(q.rules)
	for _, rule := range [][][]expr.Any{
		// A connection of which a packet was seen.
		{long, byLongID, found(q.ids), mark, remember(q.ids), done},
		{short, byShortID, found(q.ids), mark, remember(q.ids), done},
		// A new one.
		{initial, beginning, is4(place), mark, byFlow, replace(q.flows), byLongID, remember(q.ids), done},
		// Another id of one that is there: a server tells its client some, where nobody can read them.
		{long, byFlow, found(q.flows), mark, remember(q.flows), byLongID, remember(q.ids), done},
		{short, byFlow, found(q.flows), mark, remember(q.flows), byShortID, remember(q.ids), done},
		{is4(place), mark},
	} {
		var exprs []expr.Any
		for _, part := range rule {
			exprs = append(exprs, part...)
		}
		connection.AddRule(&nftables.Rule{Table: q.table, Chain: q.rules, Exprs: exprs})
	}
	return connection.Flush()
}
