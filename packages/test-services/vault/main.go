// Command vault-for-tests is HashiCorp Vault's own core and HTTP API, with the KV engine and AppRole
// only: the whole of Vault takes several times as long to build. State is kept in a folder, so that it
// can be killed and started again. It initializes and unseals itself.
//
// Usage: vault-for-tests ADDRESS FOLDER. Prints a line of JSON with address, root token and unseal key.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"

	log "github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
)

// Keys is what Vault gives at initialization, kept for the next start.
type Keys struct {
	Address string `json:"address"`
	Token   string `json:"token"`
	Unseal  string `json:"unseal"`
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address, folder string) error {
	logger := log.New(&log.LoggerOptions{Level: log.Error, Output: os.Stderr})
	store, err := file.NewFileBackend(map[string]string{"path": filepath.Join(folder, "data")}, logger)
	if err != nil {
		return err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           store,
		Logger:             logger,
		DisableMlock:       true,
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory},
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory},
		BuiltinRegistry:    builtins{},
	})
	if err != nil {
		return err
	}
	keys, err := initialize(core, filepath.Join(folder, "keys.json"))
	if err != nil {
		return err
	}
	unseal, err := hex.DecodeString(keys.Unseal)
	if err != nil {
		return err
	}
	if _, err := core.Unseal(unseal); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	keys.Address = "http://" + listener.Addr().String()
	if err := json.NewEncoder(os.Stdout).Encode(keys); err != nil {
		return err
	}
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{},
	})
	return http.Serve(listener, handler)
}

// builtins is the list of plugins that Vault takes for its own.
type builtins struct{}

func (builtins) Contains(name string, kind consts.PluginType) bool {
	_, found := builtins{}.Get(name, kind)
	return found
}

func (builtins) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	factories := map[consts.PluginType]map[string]logical.Factory{
		consts.PluginTypeSecrets:    {"kv": kv.Factory},
		consts.PluginTypeCredential: {"approle": approle.Factory},
	}
	factory, found := factories[kind][name]
	return func() (interface{}, error) { return factory, nil }, found
}

func (builtins) Keys(kind consts.PluginType) []string {
	switch kind {
	case consts.PluginTypeSecrets:
		return []string{"kv"}
	case consts.PluginTypeCredential:
		return []string{"approle"}
	default:
		return nil
	}
}

func (builtins) DeprecationStatus(string, consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, true
}

func (builtins) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

func initialize(core *vault.Core, path string) (Keys, error) {
	var keys Keys
	kept, err := os.ReadFile(path)
	if err == nil {
		return keys, json.Unmarshal(kept, &keys)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	result, err := core.Initialize(context.Background(), &vault.InitParams{
		BarrierConfig:  one,
		RecoveryConfig: one,
	})
	if err != nil {
		return keys, err
	}
	keys.Token = result.RootToken
	keys.Unseal = hex.EncodeToString(result.SecretShares[0])
	text, err := json.Marshal(keys)
	if err != nil {
		return keys, err
	}
	return keys, os.WriteFile(path, text, 0o600)
}
