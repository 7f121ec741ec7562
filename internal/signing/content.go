// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"persten/internal/algo"
	"persten/proto"
)

// Limits bound what one channel may spool.
type Limits struct {
	Content  int64         // bytes of one content
	Channel  int64         // bytes of all contents of one channel
	Handles  int           // open contents of one channel
	Lifetime time.Duration // of a content nobody touches
}

// DefaultLimits serve documents of any size people sign, archives of some gigabytes among them; a channel has room for one
// attached, which is the document and the signature around it. What keeps a page from filling the disk is spareSpace.
var DefaultLimits = Limits{Content: 8 << 30, Channel: 20 << 30, Handles: 64, Lifetime: time.Hour}

// Contents of more than modestSize leave spareSpace on the disk to everybody else.
const (
	spareSpace = 64 << 20
	modestSize = 1 << 20
)

// Store keeps the contents pages send, on disk, each visible to the channel that opened it and to no other.
// It is safe for concurrent use.
type Store struct {
	dir    string
	limits Limits
	most   int // contents of all channels

	inline atomic.Int64 // bytes of contents that lie in memory

	mu       sync.Mutex
	channels map[string]*shelf
	sweeping bool // a timer will look for old contents
}

// shelf is what one channel holds.
type shelf struct {
	owner    string // "": the channel itself
	used     int64
	contents map[string]*Content
}

// NewStore spools below dir, which must be private to the user and on a disk rather than in memory.
func NewStore(dir string, limits Limits) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("spool folder: %w", err)
	}
	return &Store{dir: dir, limits: limits, most: mayOpen(descriptors()), channels: map[string]*shelf{}}, nil
}

// Content is a sequence of bytes that grows until Seal and never changes afterwards. The file behind it has no name.
type Content struct {
	Name, MIME string

	announced int64         // bytes that will be, 0 when nobody said
	charged   int64         // bytes of the channel's quota that it uses; guarded by Store.mu
	booked    int64         // and those it has at least, while it is written; guarded by Store.mu
	gone      chan struct{} // closed when it is dropped
	grown     chan struct{} // one token: there are more bytes, or no more will come
	hashing   chan struct{} // full while somebody hashes; guards digests, running and following
	digests   map[algo.Digest][]byte
	running   map[algo.Digest]*running
	following bool

	mu      sync.Mutex
	w       *os.File // nil once sealed
	r       *os.File // read-only, its own file description
	size    int64
	touched time.Time
	closed  bool
	refs    int // requests using it now
}

// Open starts an empty content and returns its handle. Size is what the caller will write, 0 when it does not know: a content
// that grows beyond it, or is sealed before, is dropped.
func (s *Store) Open(channel, name, mime string, size int64) (string, error) {
	if size > s.limits.Content {
		return "", proto.E(proto.CodeContentTooLarge, nil, "limit", strconv.FormatInt(s.limits.Content, 10))
	}
	if err := s.room(size, size); err != nil {
		return "", err
	}
	c, err := newContent(s.dir, name, mime)
	if err != nil {
		return "", spoolFault(err)
	}
	c.announced = size
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	sh := s.shelf(channel)
	if len(sh.contents) >= s.limits.Handles || s.crowded(cmp.Or(sh.owner, channel)) {
		c.drop()
		return "", proto.E(proto.CodeContentQuota, nil, "limit", strconv.Itoa(s.limits.Handles))
	}
	handle := randomID()
	sh.contents[handle] = c
	s.sweepLater(s.limits.Lifetime)
	return handle, nil
}

// Bind makes owner, of whom there may be many channels, the one for whom the room of channel counts. Without it a channel
// counts for itself.
func (s *Store) Bind(channel, owner string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shelf(channel).owner = owner
}

// shelf is the channel's, new if need be. The caller holds s.mu.
func (s *Store) shelf(channel string) *shelf {
	sh := s.channels[channel]
	if sh == nil {
		sh = &shelf{contents: map[string]*Content{}}
		s.channels[channel] = sh
	}
	return sh
}

// room tells whether the disk has any for n more bytes of a content that then has size. Where the system cannot say, the
// write will.
func (s *Store) room(n, size int64) error {
	if size <= modestSize {
		return nil
	}
	if free, err := freeSpace(s.dir); err == nil && free-spareSpace < n {
		return proto.E(proto.CodeContentDiskFull, fmt.Errorf("%d bytes more, %d are free", n, free))
	}
	return nil
}

// anywhere is the offset of data whose sender does not count.
const anywhere = math.MinInt64

// Append adds data to an unsealed content and returns its new size.
func (s *Store) Append(channel, handle string, data []byte) (int64, error) {
	return s.AppendAt(channel, handle, anywhere, data)
}

// AppendAt is Append of data that follows the content's first offset bytes. Data that does not, or that is more than was
// announced, ends the content: what the sender means by it is lost.
func (s *Store) AppendAt(channel, handle string, offset int64, data []byte) (int64, error) {
	c, err := s.find(channel, handle)
	if err != nil {
		return 0, err
	}
	n := int64(len(data))
	if err = s.room(n, c.Size()+n); err != nil {
		return 0, err
	}
	if err = s.charge(channel, handle, n); err == nil {
		var size int64
		if size, err = c.append(offset, data); err == nil {
			return size, nil
		}
		s.charge(channel, handle, -n) // fails when the content is gone, and its charge with it
	}
	if errors.Is(err, proto.CodeContentOrder) || errors.Is(err, proto.CodeContentSize) {
		s.Drop(channel, handle)
	}
	return 0, err
}

// charge books n bytes to the channel before they are written, or gives them back.
func (s *Store) charge(channel, handle string, n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.channels[channel]
	if sh == nil || sh.contents[handle] == nil {
		return proto.E(proto.CodeContentAbsent, nil)
	}
	c := sh.contents[handle]
	if c.announced > 0 && c.charged+n > c.announced {
		return c.wrongSize()
	}
	if c.charged+n > s.limits.Content {
		return proto.E(proto.CodeContentTooLarge, nil, "limit", strconv.FormatInt(s.limits.Content, 10))
	}
	more := max(c.charged+n, c.booked) - c.takes()
	if more > 0 && sh.used+more > s.limits.Channel {
		return proto.E(proto.CodeContentQuota, nil, "limit", strconv.FormatInt(s.limits.Channel, 10))
	}
	sh.used += more
	c.charged += n
	return nil
}

// book sets n bytes of the channel's quota aside for a content; 0 gives back those it did not use.
func (s *Store) book(channel, handle string, n int64) error {
	if n > s.limits.Content {
		return proto.E(proto.CodeContentTooLarge, nil, "limit", strconv.FormatInt(s.limits.Content, 10))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.channels[channel]
	if sh == nil || sh.contents[handle] == nil {
		return proto.E(proto.CodeContentAbsent, nil)
	}
	c := sh.contents[handle]
	more := max(c.charged, n) - c.takes()
	if more > 0 && sh.used+more > s.limits.Channel {
		return proto.E(proto.CodeContentQuota, nil, "limit", strconv.FormatInt(s.limits.Channel, 10))
	}
	sh.used += more
	c.booked = n
	return nil
}

// takes is the part of the channel's quota that others cannot have. The caller holds the store's lock.
func (c *Content) takes() int64 { return max(c.charged, c.booked) }

// remove drops a content and its charge. The caller holds the store's lock.
func (sh *shelf) remove(handle string) {
	c := sh.contents[handle]
	sh.used -= c.takes()
	c.drop()
	delete(sh.contents, handle)
}

// Seal ends writing and returns the final size. Sealing twice is harmless. A content that is shorter than announced is dropped.
func (s *Store) Seal(channel, handle string) (int64, error) {
	c, err := s.find(channel, handle)
	if err != nil {
		return 0, err
	}
	if c.announced > 0 && c.Size() != c.announced {
		s.Drop(channel, handle)
		return 0, c.wrongSize()
	}
	err = c.seal()
	return c.Size(), err
}

// Gone is closed when the content is no longer there.
func (s *Store) Gone(channel, handle string) (<-chan struct{}, error) {
	c, err := s.find(channel, handle)
	if err != nil {
		return nil, err
	}
	return c.gone, nil
}

// Read returns up to n bytes at offset of a sealed content, and whether they are its last.
func (s *Store) Read(channel, handle string, offset int64, n int) ([]byte, bool, error) {
	c, err := s.Sealed(channel, handle)
	if err != nil {
		return nil, false, err
	}
	defer c.Release()
	buf := make([]byte, max(0, min(int64(n), c.Size()-offset))) // a reader may ask ahead, beyond the end
	got, err := c.ReadAt(buf, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, proto.E(proto.CodeInternal, err)
	}
	return buf[:got], offset+int64(got) >= c.Size(), nil
}

// Sealed returns a sealed content for use in a request; Release it afterwards.
func (s *Store) Sealed(channel, handle string) (*Content, error) {
	c, err := s.find(channel, handle)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && c.w != nil {
		return nil, proto.E(proto.CodeContentNotSealed, nil)
	}
	return c, c.hold()
}

// Create makes a content of the agent's own, such as a finished signature, filled by write and sealed. It does not grow old
// while write runs, which may wait for a person.
func (s *Store) Create(channel, name, mime string, write func(io.Writer) error) (string, *Content, error) {
	handle, err := s.Open(channel, name, mime, 0)
	if err != nil {
		return "", nil, err
	}
	c, err := s.find(channel, handle)
	if err != nil {
		return "", nil, err
	}
	if err := c.use(); err != nil {
		return "", nil, err
	}
	defer c.Release()
	err = write(writerFunc(func(p []byte) (int, error) {
		_, err := s.Append(channel, handle, p)
		return len(p), err
	}))
	if err == nil {
		err = c.seal()
	}
	if err != nil {
		s.Drop(channel, handle)
		return "", nil, err
	}
	return handle, c, nil
}

// Drop frees one content.
func (s *Store) Drop(channel, handle string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh := s.channels[channel]; sh != nil && sh.contents[handle] != nil {
		sh.remove(handle)
	}
}

// DropChannel frees all a channel held: its tab is gone.
func (s *Store) DropChannel(channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh := s.channels[channel]; sh != nil {
		for _, c := range sh.contents {
			c.drop()
		}
		delete(s.channels, channel)
	}
}

// Empty reports whether no channel holds a content.
func (s *Store) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sh := range s.channels {
		if len(sh.contents) > 0 {
			return false
		}
	}
	return true
}

func (s *Store) find(channel, handle string) (*Content, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh := s.channels[channel]; sh != nil {
		if c := sh.contents[handle]; c != nil {
			c.touch()
			return c, nil
		}
	}
	return nil, proto.E(proto.CodeContentAbsent, nil)
}

// expire drops what nobody used for a lifetime, and tells after how long to look again; 0 is never. The caller holds s.mu.
func (s *Store) expire() (again time.Duration) {
	for _, sh := range s.channels {
		for h, c := range sh.contents {
			left := s.limits.Lifetime - c.idle()
			if left < 0 {
				sh.remove(h)
			} else if again == 0 || left < again {
				again = max(left, time.Second)
			}
		}
	}
	return again
}

// sweepLater has a timer free what a sender left behind that never comes back. The caller holds s.mu.
func (s *Store) sweepLater(after time.Duration) {
	if s.sweeping {
		return
	}
	s.sweeping = true
	time.AfterFunc(after+time.Millisecond, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sweeping = false
		if again := s.expire(); again > 0 {
			s.sweepLater(again)
		}
	})
}

func newContent(dir, name, mime string) (*Content, error) {
	w, r, err := spool(dir)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	c := blankContent(name, mime)
	c.w, c.r = w, r
	return c, nil
}

func blankContent(name, mime string) *Content {
	return &Content{
		Name: name, MIME: mime, touched: time.Now(),
		gone: make(chan struct{}), grown: make(chan struct{}, 1),
		hashing: make(chan struct{}, 1), digests: map[algo.Digest][]byte{}, running: map[algo.Digest]*running{},
	}
}

func (c *Content) wrongSize() error {
	return proto.E(proto.CodeContentSize, nil, "size", strconv.FormatInt(c.announced, 10))
}

// append writes data after what is there. What a failed write left behind is cut off again: the person is shown the file,
// and what is shown must be what is signed.
func (c *Content) append(offset int64, data []byte) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return 0, proto.E(proto.CodeContentAbsent, nil)
	case c.w == nil:
		return 0, proto.E(proto.CodeContentSealed, nil)
	case offset != anywhere && offset != c.size:
		return 0, proto.E(proto.CodeContentOrder, nil, "detail", fmt.Sprintf("offset %d, want %d", offset, c.size))
	}
	if _, err := c.w.WriteAt(data, c.size); err != nil {
		return 0, spoolFault(errors.Join(err, c.w.Truncate(c.size)))
	}
	c.size += int64(len(data))
	c.grow()
	return c.size, nil
}

// spoolFault tells a full disk from other failures of the spool.
func spoolFault(err error) error {
	if diskFull(err) {
		return proto.E(proto.CodeContentDiskFull, err)
	}
	return proto.E(proto.CodeInternal, fmt.Errorf("spool: %w", err))
}

// Size is the number of bytes written so far.
func (c *Content) Size() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// ReadAt reads a sealed content; it never moves a shared file offset.
func (c *Content) ReadAt(p []byte, off int64) (int, error) { return c.r.ReadAt(p, off) }

// Reader reads the whole content from the start, independently of other readers.
func (c *Content) Reader() io.ReadSeeker { return io.NewSectionReader(c, 0, c.Size()) }

// Descriptor returns a new read-only descriptor for the prompt process; the caller closes it.
func (c *Content) Descriptor() (*os.File, error) { return reopen(c.r) }

func (c *Content) use() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hold()
}

// hold begins a use. The caller holds c.mu.
func (c *Content) hold() error {
	if c.closed {
		return proto.E(proto.CodeContentAbsent, nil)
	}
	c.refs++
	return nil
}

func (c *Content) touch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.touched = time.Now()
}

// idle is how long nobody has used the content.
func (c *Content) idle() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refs > 0 {
		return 0
	}
	return time.Since(c.touched)
}

// Release ends the use begun by Sealed.
func (c *Content) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refs--
	c.touched = time.Now()
	c.closeIfDone()
}

func (c *Content) seal() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.w == nil {
		return nil
	}
	err := c.w.Close()
	c.w = nil
	c.grow()
	if err != nil {
		return spoolFault(err)
	}
	return nil
}

func (c *Content) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		close(c.gone)
	}
	c.closed = true
	c.closeIfDone()
}

// closeIfDone frees the file once it is dropped and no request reads it. The caller holds c.mu.
func (c *Content) closeIfDone() {
	if !c.closed || c.refs > 0 {
		return
	}
	if c.w != nil {
		c.w.Close()
		c.w = nil
	}
	c.r.Close()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// randomID returns 128 random bits in hex.
func randomID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// NewChannel names a new channel.
func NewChannel() string { return randomID() }
