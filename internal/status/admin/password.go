package admin

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The cost of hashing a password: 19 MiB and two passes, about 90 ms.
const (
	memory     = 19456 // KiB
	passes     = 2
	hashLength = 32
)

// The limits of a password's length, in bytes. Longer ones are refused before they
// are hashed.
const (
	MinPassword = 10
	MaxPassword = 256
)

// HashPassword returns the argon2id hash of a password in PHC string format.
func HashPassword(password string) (string, error) {
	if len(password) < MinPassword || len(password) > MaxPassword {
		return "", fmt.Errorf("a password must have %d to %d bytes", MinPassword, MaxPassword)
	}
	var salt [16]byte
	_, _ = rand.Read(salt[:]) // never fails
	return phc(memory, passes, salt[:], argon2.IDKey([]byte(password), salt[:], passes, memory, 1, hashLength)), nil
}

// phc formats a hash as a PHC string.
func phc(memory, passes int, salt, sum []byte) string {
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, memory, passes, encode(salt), encode(sum))
}

// nobody returns a hash that no password matches and that costs as much to verify as
// any other.
func nobody() string {
	var raw [16 + hashLength]byte
	_, _ = rand.Read(raw[:]) // never fails
	return phc(memory, passes, raw[:16], raw[16:])
}

// errHash is the error of a hash that this program did not write.
var errHash = errors.New("admin: the password hash is corrupt")

// verify reports whether a password is the one that was hashed.
func verify(hash, password string) (bool, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errHash
	}
	var version, m, t, p uint32
	if n, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &m, &t, &p); err != nil || n != 4 ||
		version != argon2.Version || m > 1<<20 || t < 1 || t > 10 || p < 1 || p > 8 {
		return false, errHash
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, errHash
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) < 16 || len(want) > 64 {
		return false, errHash
	}
	got := argon2.IDKey([]byte(password), salt, t, m, uint8(p), uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}
