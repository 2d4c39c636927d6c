// operations HOST PORT USER PASSWORD DIRECTORY CA: Go's jlaffaye/ftp, on which rclone is built. With
// RESUME it keeps sessions, with CLEAR it has no TLS at all.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/jlaffaye/ftp"
)

func report(name string, step func() (interface{}, error)) {
	value, err := step()
	if err != nil {
		fmt.Printf("%s: failed %v\n", name, err)
		return
	}
	fmt.Printf("%s: ok %v\n", name, value)
}

func main() {
	host, user, password := os.Args[1]+":"+os.Args[2], os.Args[3], os.Args[4]
	root, err := os.ReadFile(os.Args[6])
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	config := &tls.Config{RootCAs: pool, ServerName: os.Args[1]}
	switch os.Getenv("TLS_VERSION") {
	case "1.2":
		config.MaxVersion = tls.VersionTLS12
	case "1.3":
		config.MinVersion = tls.VersionTLS13
	}
	if os.Getenv("RESUME") != "" {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	}
	options := []ftp.DialOption{ftp.DialWithTimeout(30 * time.Second)}
	if os.Getenv("CLEAR") == "" {
		options = append(options, ftp.DialWithExplicitTLS(config))
	}
	client, err := ftp.Dial(host, options...)
	if err != nil {
		panic(err)
	}
	nothing := func(err error) (interface{}, error) { return "", err }
	pwd := func(name string) { report(name, func() (interface{}, error) { return client.CurrentDir() }) }
	put := func(path string) error { return client.Stor(path, strings.NewReader("content")) }
	names := func(path string) (interface{}, error) {
		all, err := client.NameList(path)
		sort.Strings(all)
		return all, err
	}
	get := func(path string) (interface{}, error) {
		response, err := client.Retr(path)
		if err != nil {
			return nil, err
		}
		var content bytes.Buffer
		_, err = io.Copy(&content, response)
		if closing := response.Close(); err == nil {
			err = closing
		}
		return content.String(), err
	}

	report("login", func() (interface{}, error) { return nothing(client.Login(user, password)) })
	pwd("pwd")
	report("mkd", func() (interface{}, error) { return nothing(client.MakeDir("made")) })
	report("cwd", func() (interface{}, error) { return nothing(client.ChangeDir("made")) })
	report("cwd missing", func() (interface{}, error) { return nothing(client.ChangeDir("nosuch")) })
	report("stor", func() (interface{}, error) { return nothing(put("file")) })
	report("append", func() (interface{}, error) { return nothing(client.Append("file", strings.NewReader("content"))) })
	report("stor into missing", func() (interface{}, error) { return nothing(put("nosuch/file")) })
	pwd("pwd after stor into missing")
	report("stor onto directory", func() (interface{}, error) { return nothing(put(".")) })
	pwd("pwd after stor onto directory")
	report("list missing", func() (interface{}, error) { return names("nosuch") })
	pwd("pwd after list missing")
	report("retr missing", func() (interface{}, error) { return get("nosuch") })
	pwd("pwd after retr missing")
	report("list", func() (interface{}, error) { return names("") })
	report("retr", func() (interface{}, error) { return get("file") })
	report("size", func() (interface{}, error) { return client.FileSize("file") })
	report("size missing", func() (interface{}, error) { return client.FileSize("nosuch") })
	report("rename", func() (interface{}, error) { return nothing(client.Rename("file", "renamed")) })
	report("dele", func() (interface{}, error) { return nothing(client.Delete("renamed")) })
	report("dele missing", func() (interface{}, error) { return nothing(client.Delete("nosuch")) })
	report("cdup", func() (interface{}, error) { return nothing(client.ChangeDirToParent()) })
	report("rmd", func() (interface{}, error) { return nothing(client.RemoveDir("made")) })
	pwd("pwd at the end")
	report("quit", func() (interface{}, error) { return nothing(client.Quit()) })
}
