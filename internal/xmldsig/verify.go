// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// Limits of one document, for all its signatures together.
const (
	maxWorks       = 512 // distinct references
	maxFilters     = 64  // XPath and filter2 transforms in them
	maxReparses    = 32  // stages that read octets as a document again: each has buffers
	maxChecks      = 96  // signature values; one key after another is tried when it is not clear whose it is
	maxPaths       = 64  // certificate signatures
	budgetFactor   = 16  // canonical octets: so many times the document, and
	budgetConstant = 32 << 20
)

// VerifyOptions say how to read a document. The zero value is right for most.
type VerifyOptions struct {
	Limits       xml.Limits
	IDNames      []c14n.IDName       // attributes that count as Id; nil: DefaultIDNames
	Certificates []*cert.Certificate // candidates when a signature holds none
	// Canonical returns who gets the octets that are digested for a reference: numbers as in Report. It may be nil and may
	// return nil. Each writer is used by one goroutine, not all by the same. Octets mean something only once Verify has
	// returned, and the reference is Valid.
	Canonical func(signature, reference int) io.Writer
}

// Verify checks every signature in the document, those inside others too, in document order. trust builds the certificates'
// paths, together with the certificates found in the document; it takes no part in SignerReport.Valid.
//
// The error is nil when the document could be read, whatever its signatures are worth; otherwise it is an *xml.Error or
// wraps ErrNoSignature, ErrLimit or ErrChanged, or comes from reading. Offsets in the report are explained at cms.Reference.
func Verify(ctx context.Context, doc io.ReadSeeker, trust cert.Trust, o VerifyOptions) (*cms.Report, error) {
	v := newVerifier(doc, trust, o)
	if err := v.find(ctx); err != nil {
		return nil, err
	}
	if err := v.plan(); err != nil {
		return nil, err
	}
	if err := v.run(ctx); err != nil {
		return nil, err
	}
	return v.judge(), nil
}

// verifier is one call of Verify.
type verifier struct {
	doc      io.ReadSeeker
	o        VerifyOptions
	trust    cert.Trust
	seed     maphash.Seed
	size     int64
	sum      uint64 // of the document as first read
	once     bool   // it was not read before: Sign knows what a scan would find
	edges    span   // of the first and the last token beside the root
	watch    func(*xml.Token)
	scan     *scanner
	checks   []*check
	works    map[string]*work
	order    []*work
	jobs     []*c14n.Job // beside the works
	tokens   map[string]*securityToken
	filters  int
	reparses int
	attempts int
}

func newVerifier(doc io.ReadSeeker, trust cert.Trust, o VerifyOptions) *verifier {
	if o.IDNames == nil {
		o.IDNames = DefaultIDNames
	}
	return &verifier{
		doc: doc, o: o, trust: trust, seed: maphash.MakeSeed(), works: map[string]*work{}, tokens: map[string]*securityToken{},
	}
}

// find reads the document for the first time.
func (v *verifier) find(ctx context.Context) error {
	src, err := v.open()
	if err != nil {
		return err
	}
	if v.scan, err = scan(ctx, xml.NewReader(src, v.o.Limits)); err != nil {
		return err
	}
	v.size, v.sum = src.size, src.sum.Sum64()
	if len(v.scan.found) == 0 {
		return ErrNoSignature
	}
	return nil
}

// plan prepares every signature that was found.
func (v *verifier) plan() error {
	for i, sig := range v.scan.found {
		c := &check{v: v, number: i, sig: sig, report: cms.SignerReport{Format: cms.FormatXMLDSig, ID: sig.id}}
		v.checks = append(v.checks, c)
		if err := c.plan(); err != nil {
			return err
		}
	}
	return nil
}

// source reads the document from its beginning and remembers what it was.
type source struct {
	r    io.Reader
	sum  maphash.Hash
	size int64
}

func (v *verifier) open() (*source, error) {
	if _, err := v.doc.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	s := &source{r: v.doc}
	s.sum.SetSeed(v.seed)
	return s, nil
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.sum.Write(p[:n])
	s.size += int64(n)
	return n, err
}

// readTexts reads the document once more beforehand, if an expression may ask for what comes after it.
func (v *verifier) readTexts(ctx context.Context) error {
	if !slices.ContainsFunc(v.order, func(w *work) bool { return w.chain.texts }) {
		return nil
	}
	src, err := v.open()
	if err != nil {
		return err
	}
	texts, err := c14n.ReadTexts(ctx, xml.NewReader(src, v.o.Limits))
	for _, w := range v.order {
		w.job.Texts = texts
	}
	return err
}

// run reads the document for the second time, for every reference and every SignedInfo at once.
func (v *verifier) run(ctx context.Context) error {
	if err := v.readTexts(ctx); err != nil {
		return err
	}
	src, err := v.open()
	if err != nil {
		return err
	}
	b := &budget{effort: c14n.NewEffort(budgetFactor*v.size + budgetConstant)}
	b.left.Store(budgetFactor*v.size + budgetConstant)
	large := v.size > asideFrom
	jobs := v.jobs
	for i, w := range v.order {
		w.start(ctx, v.o.Limits, b, large && i < maxAside)
		jobs = append(jobs, w.job)
	}
	err = v.read(ctx, src, large, b, jobs)
	if errors.Is(err, c14n.ErrUnsupported) {
		err = nil // Job.Err says whose it is
	}
	for _, w := range v.order {
		w.finish(err)
		if err == nil {
			err = w.aborts()
		}
	}
	switch {
	case errors.Is(err, c14n.ErrLimit):
		return fmt.Errorf("%w: %w", ErrLimit, err)
	case err != nil:
		return err
	case !v.once && (src.size != v.size || src.sum.Sum64() != v.sum):
		return ErrChanged
	}
	return nil
}

// read runs the jobs over the document; that of a large one is fetched meanwhile.
func (v *verifier) read(ctx context.Context, src io.Reader, large bool, b *budget, jobs []*c14n.Job) error {
	if large {
		a := readAhead(src)
		defer a.close()
		src = a
	}
	r := xml.NewReader(src, v.o.Limits)
	r.Watch(v.see)
	return b.effort.Run(ctx, r, b.rest(), jobs...)
}

// see notes where instructions and comments stand beside the root: the canonical form of a document may have them.
func (v *verifier) see(t *xml.Token) {
	if t.Depth == 0 && (t.Kind == xml.Instruction || t.Kind == xml.Comment) {
		if v.edges == (span{}) {
			v.edges.begin = t.Begin
		}
		v.edges.end = t.Fin
	}
	if v.watch != nil {
		v.watch(t)
	}
}

// work returns the running chain for a reference, shared with others that ask for the same.
func (v *verifier) work(c *chain, d algo.Digest) (*work, error) {
	key := string(d) + " " + c.key.String()
	if w := v.works[key]; w != nil {
		return w, nil
	}
	v.filters += c.filters
	v.reparses += len(c.stages) - 1
	if len(v.order) == maxWorks || v.filters > maxFilters || v.reparses > maxReparses {
		return nil, fmt.Errorf("%w: too many references in one document", ErrLimit)
	}
	w := newWork(c, d)
	v.works[key], v.order = w, append(v.order, w)
	return w, nil
}

// judge looks at what the second pass brought.
func (v *verifier) judge() *cms.Report {
	report := &cms.Report{Attached: true, Content: cms.Content{Size: v.size}}
	v.trust.Intermediates = slices.Clone(v.trust.Intermediates)
	for _, c := range v.checks {
		c.keys()
		report.Certificates = append(report.Certificates, c.hints.certificates...)
	}
	v.trust.Intermediates = append(v.trust.Intermediates, report.Certificates...)
	v.trust = v.trust.Bounded(maxPaths)
	for _, c := range v.checks {
		c.report.Problem = notFound(c.judge())
		c.report.Valid = c.report.Problem == nil
		c.report.CheckTrust(v.trust)
		report.Signers = append(report.Signers, c.report)
	}
	return report
}

// notFound marks the errors of references that were not carried out, for cms.Report.Conclude.
func notFound(err error) error {
	if errors.Is(err, ErrUnsupported) || errors.Is(err, ErrNothingSigned) {
		return fmt.Errorf("%w: %w", cms.ErrSignedData, err)
	}
	return err
}

// check is one signature on its way.
type check struct {
	v          *verifier
	number     int
	sig        *signature
	report     cms.SignerReport
	info       kept
	infoJob    *c14n.Job
	references []*resolved
	signed     kept // the octets of SignedProperties
	hints      hints
}

// resolved is a reference with the work that reads it.
type resolved struct {
	*reference
	work *work
	err  error
}

// plan puts the jobs of a signature together. Its error ends the whole verification.
func (c *check) plan() error {
	if c.sig.problem != nil {
		return nil
	}
	if err := c.sig.info.method.Check(); err != nil {
		c.sig.problem = err
		return nil
	}
	c.infoJob = &c14n.Job{Nodes: c14n.Element(c.sig.infoAt).WithComments(), Method: c.sig.info.method, Out: &c.info}
	c.v.jobs = append(c.v.jobs, c.infoJob)
	for i := range c.sig.info.references {
		r, err := c.resolve(i)
		if err != nil {
			return err
		}
		c.references = append(c.references, r)
	}
	c.hints = c.v.readKeyInfo(c.sig.keyInfo)
	return nil
}

// resolve prepares one reference. What is not carried out here is noted in the reference.
func (c *check) resolve(i int) (*resolved, error) {
	r := &resolved{reference: &c.sig.info.references[i]}
	d, ok := algo.DigestByXML(r.digest)
	if !ok {
		r.err = fmt.Errorf("%w: digest %q", cms.ErrAlgorithm, r.digest)
		return r, nil
	}
	chain, err := newChain(r.reference, c.sig.begin, c.v.o.IDNames)
	if err != nil {
		r.err = err
		return r, nil
	}
	if r.work, err = c.v.work(chain, d); err != nil {
		return nil, err
	}
	if r.kind == TypeSignedProperties && c.sig.properties != nil {
		r.work.copies = append(r.work.copies, &c.signed)
	}
	if c.v.o.Canonical != nil {
		if w := c.v.o.Canonical(c.number, i); w != nil {
			r.work.copies = append(r.work.copies, w)
		}
	}
	return r, nil
}

// judge returns the first problem of the signature, having filled its report as far as it goes.
func (c *check) judge() error {
	if c.sig.problem != nil {
		return c.sig.problem
	}
	var problem error
	for _, step := range []func() error{c.checkReferences, c.checkInfo, c.checkProperties, c.checkCoverage} {
		if err := step(); err != nil && problem == nil {
			problem = err
		}
	}
	if err := c.checkValue(problem == nil); problem == nil {
		problem = err
	}
	return problem
}

// checkInfo reads SignedInfo again from the octets the signature is made over: what they do not say, such as the
// namespace of a prefix in an expression, was not signed.
func (c *check) checkInfo() error {
	if c.info.over {
		return fmt.Errorf("%w: SignedInfo of more than %d bytes", ErrLimit, maxKept)
	}
	if c.infoJob.Found != 1 {
		return ErrChanged
	}
	e, err := readElement(bytes.NewReader(c.info.octets), c.v.o.Limits)
	if err != nil {
		return fmt.Errorf("%w: SignedInfo: %v", ErrFormat, err)
	}
	info, err := parseSignedInfo(e)
	if err != nil {
		return err
	}
	return c.sig.info.same(info, c.sig.begin)
}

// checkReferences compares the digests.
func (c *check) checkReferences() error {
	var problem error
	for _, r := range c.references {
		rep := c.reference(r)
		rep.Valid = rep.Problem == nil
		c.report.References = append(c.report.References, rep)
		if problem == nil {
			problem = rep.Problem
		}
	}
	return problem
}
