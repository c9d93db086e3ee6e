import {
  type Attributes,
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import type { Config } from "./config.ts";
import { reason } from "./log.ts";

/** Starts tracing; without an endpoint there are still trace ids, for the logs. Returns how to flush and stop. */
export function startTracing(config: Config): () => Promise<void> {
  const exporter =
    config.otlpEndpoint === undefined
      ? []
      : [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${config.otlpEndpoint.replace(/\/$/, "")}/v1/traces` }))];
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({
      "service.name": config.role,
      "service.version": "reference",
      "deployment.environment.name": config.environment,
      "autollm.stand_in": true,
    }),
    spanProcessors: exporter,
  });
  // W3C trace context and async context are the provider's defaults.
  provider.register();
  return () => provider.shutdown();
}

export interface SpanOptions {
  readonly kind?: SpanKind;
  /** Carrier of the caller's context, such as HTTP or NATS headers. */
  readonly parent?: Context;
  readonly attributes?: Attributes;
}

/** Runs work inside a span; an exception marks the span as failed and goes on. */
export function inSpan<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
  const { kind = SpanKind.INTERNAL, parent = context.active(), attributes = {} } = options;
  return trace.getTracer("autollm").startActiveSpan(name, { kind, attributes }, parent, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: reason(error) });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** The W3C headers of the active trace. */
export function traceHeaders(): Record<string, string> {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return carrier;
}

/** The context that came in with W3C headers. */
export function contextOf(header: (name: string) => string | undefined): Context {
  const carrier: Record<string, string> = {};
  for (const name of ["traceparent", "tracestate"]) {
    const value = header(name);
    if (value !== undefined && value !== "") carrier[name] = value;
  }
  return propagation.extract(context.active(), carrier);
}

/** The active trace's id, for answers. */
export function traceId(): string | undefined {
  return trace.getActiveSpan()?.spanContext().traceId;
}
