// tests/e2e/decoder/decode.js - reads requests to a collector by others' code, and prints the spans
//
// node decode.js otlp|zipkin: a line of standard input is one request's body in base64; the answer
// is one line of JSON: {spans:[...], faults:[...]}. OTLP goes through the code that OpenTelemetry's
// own JavaScript generated from the official .proto files; Zipkin through ajv with the schema
// below, written after zipkin-api's zipkin2-api.yaml.
"use strict";

const path = require("path");
const readline = require("readline");

const modules = path.join(process.cwd(), "node_modules");

const hex = (bytes) => Buffer.from(bytes || []).toString("hex");

function attributesOf(list) {
  const out = {};
  for (const { key, value } of list) {
    out[key] = value.stringValue ?? value.boolValue ?? Number(value.intValue ?? value.doubleValue);
  }
  return out;
}

function otlp() {
  const transformer = path.join(modules, "@opentelemetry", "otlp-transformer");
  const root = require(path.join(transformer, "build", "src", "generated", "root.js"));
  const { ExportTraceServiceRequest } = root.opentelemetry.proto.collector.trace.v1;
  const { Span } = root.opentelemetry.proto.trace.v1;
  return (body) => {
    const request = ExportTraceServiceRequest.decode(body);
    const faults = [];
    const wrong = ExportTraceServiceRequest.verify(request);
    if (wrong) faults.push(wrong);
    // Whatever is not understood would be lost on the way back.
    const again = Buffer.from(ExportTraceServiceRequest.encode(request).finish());
    if (again.length !== body.length) faults.push(`${body.length - again.length} bytes unknown`);
    const spans = [];
    for (const { resource, scopeSpans } of request.resourceSpans) {
      for (const { scope, spans: list } of scopeSpans) {
        for (const span of list) {
          if (span.traceId.length !== 16 || span.spanId.length !== 8) faults.push("an id's length");
          spans.push({
            trace: hex(span.traceId),
            id: hex(span.spanId),
            parent: hex(span.parentSpanId),
            name: span.name,
            kind: Span.SpanKind[span.kind].replace("SPAN_KIND_", ""),
            start: Number(BigInt(span.startTimeUnixNano) / 1000n),
            end: Number(BigInt(span.endTimeUnixNano) / 1000n),
            failed: span.status?.code === 2,
            state: span.traceState,
            scope: scope.name,
            attributes: attributesOf(span.attributes),
            resource: attributesOf(resource.attributes),
          });
        }
      }
    }
    return { spans, faults };
  };
}

const id = (length) => ({ type: "string", pattern: `^[0-9a-f]{${length}}$` });
const endpoint = {
  type: "object",
  additionalProperties: false,
  properties: {
    serviceName: { type: "string", minLength: 1 },
    ipv4: { type: "string" },
    ipv6: { type: "string" },
    port: { type: "integer" },
  },
};
const zipkinSchema = {
  type: "array",
  items: {
    type: "object",
    additionalProperties: false,
    required: ["traceId", "id", "timestamp", "duration", "localEndpoint"],
    properties: {
      traceId: { type: "string", pattern: "^([0-9a-f]{16}|[0-9a-f]{32})$" },
      name: { type: "string" },
      parentId: id(16),
      id: id(16),
      kind: { enum: ["CLIENT", "SERVER", "PRODUCER", "CONSUMER"] },
      timestamp: { type: "integer", minimum: 1 },
      duration: { type: "integer", minimum: 1 },
      debug: { type: "boolean" },
      shared: { type: "boolean" },
      localEndpoint: endpoint,
      remoteEndpoint: endpoint,
      annotations: { type: "array" },
      tags: { type: "object", additionalProperties: { type: "string" } },
    },
  },
};

function zipkin() {
  const Ajv = require(path.join(modules, "ajv")).default;
  const check = new Ajv({ allErrors: true }).compile(zipkinSchema);
  return (body) => {
    const list = JSON.parse(body.toString("utf8"));
    const faults = check(list) ? [] : check.errors.map((e) => `${e.instancePath} ${e.message}`);
    const spans = list.map((span) => ({
      trace: span.traceId,
      id: span.id,
      parent: span.parentId ?? "",
      name: span.name,
      kind: span.kind ?? "INTERNAL",
      start: span.timestamp,
      end: span.timestamp + span.duration,
      failed: "error" in span.tags,
      state: span.tags["w3c.tracestate"] ?? "",
      scope: span.tags["otel.scope.name"],
      attributes: span.tags,
      resource: { "service.name": span.localEndpoint.serviceName, ...span.tags },
    }));
    return { spans, faults };
  };
}

const decode = { otlp, zipkin }[process.argv[2]]();
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  let answer;
  try {
    answer = decode(Buffer.from(line, "base64"));
  } catch (error) {
    answer = { spans: [], faults: [String(error)] };
  }
  console.log(JSON.stringify(answer));
});
