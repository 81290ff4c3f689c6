// Package keys protects the data keys that state and plan files are encrypted
// with.
//
// Given: [Settings], how a data key is to be protected: a passphrase, age
// recipients, or a key service named by a gocloud.dev/secrets URL. Returned: a
// [Ring], which makes a [DataKey] together with its [Wrap]s (what is stored of
// it) and opens them again. A data key encrypts and authenticates bodies; a wrap
// protects a data key, never a body.
//
// Effects: [New] has none. With a keeper, Make, Wrap, Open, SealFile and OpenFile
// ask the key service; randomness comes from the reader in [Options]. Nothing is
// written anywhere.
//
// Imported by state/store (objects of the bucket) and cmd (plan files). It is the
// only package that imports age and the clients of key services. Where the bytes
// are kept is not its business; see state/store.
package keys
