/** Type tokens of the resources that the rules know. */
export const STACK = "pulumi:pulumi:Stack";
export const CONTAINER = "docker:index/container:Container";
export const REMOTE_IMAGE = "docker:index/remoteImage:RemoteImage";
export const NETWORK = "docker:index/network:Network";
export const VOLUME = "docker:index/volume:Volume";
export const DOCKER_PROVIDER = "pulumi:providers:docker";
export const LOCAL_COMMANDS = ["command:local:Command"] as const;
export const REMOTE_COMMANDS = [
  "command:remote:Command",
  "command:remote:CopyToRemote",
  "command:remote:CopyFile",
] as const;
export const COMMANDS = [...LOCAL_COMMANDS, ...REMOTE_COMMANDS] as const;
export const RANDOM_PASSWORD = "random:index/randomPassword:RandomPassword";
export const RANDOM_BYTES = "random:index/randomBytes:RandomBytes";
export const PRIVATE_KEY = "tls:index/privateKey:PrivateKey";
export const CERT_REQUEST = "tls:index/certRequest:CertRequest";
export const SELF_SIGNED = "tls:index/selfSignedCert:SelfSignedCert";
export const LOCALLY_SIGNED = "tls:index/locallySignedCert:LocallySignedCert";
