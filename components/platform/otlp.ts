/** The address to which the services send their traces: the collector, OTLP over HTTP. */
export const OTLP_ENDPOINT = "http://otel-collector:4318";
