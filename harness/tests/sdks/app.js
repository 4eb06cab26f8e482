// A small web shop with OpenTelemetry's ordinary Node SDK, set up by OTEL_* variables alone: three requests, then it ends.
const { trace, metrics, SpanKind } = require("@opentelemetry/api");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { NodeSDK } = require("@opentelemetry/sdk-node");

const sdk = new NodeSDK({
  resource: resourceFromAttributes({
    "service.name": "shop",
    "service.version": "1.0.0",
    "service.instance.id": "shop-1",
    "deployment.environment.name": "test",
  }),
});
sdk.start();

const tracer = trace.getTracer("shop", "1.0.0", { schemaUrl: "https://opentelemetry.io/schemas/1.44.0" });
const requests = metrics.getMeter("shop").createCounter("shop.requests", { unit: "{request}" });

function request(method, route, path) {
  const attributes = {
    "http.request.method": method,
    "http.route": route,
    "http.response.status_code": 200,
    "url.path": path,
    "url.scheme": "http",
  };
  tracer.startActiveSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, (span) => {
    const query = {
      "db.system.name": "postgresql",
      "db.operation.name": "SELECT",
      "db.collection.name": "items",
      "db.query.summary": "SELECT items",
      "db.namespace": "shop",
      "server.address": "localhost",
    };
    tracer.startActiveSpan("SELECT items", { kind: SpanKind.CLIENT, attributes: query }, (inner) => inner.end());
    requests.add(1, { "http.route": route });
    span.end();
  });
}

for (const number of [0, 1]) request("GET", "/items/{id}", `/items/${number}`);
request("POST", "/items", "/items");
console.log("served 3 requests");
sdk.shutdown();
