// Package version holds the plugins' versions: those of the npm packages that speak to them. The build sets them by -ldflags.
package version

var (
	// Random is the version of @pulumi/random.
	Random = "0.0.0"
	// TLS is the version of @pulumi/tls.
	TLS = "0.0.0"
	// Docker is the version of @pulumi/docker.
	Docker = "0.0.0"
	// Command is the version of @pulumi/command.
	Command = "0.0.0"
)
