// Command pulumi-resource-tls is the tls provider, bridged from its Terraform provider.
package main

import (
	"context"
	_ "embed"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"

	"autollm.local/engine/provider/tls"
)

//go:embed schema.json
var schema []byte

//go:embed bridge-metadata.json
var metadata []byte

func main() {
	tfbridge.Main(context.Background(), "tls", tls.Info(metadata), tfbridge.ProviderMetadata{PackageSchema: schema})
}
