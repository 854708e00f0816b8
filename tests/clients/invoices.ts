// What test_typescript_client.py runs: a program that uses the invoices of docs/a-larger-domain.md, by the types of
// openapi-typescript and the zod schemas of hey-api.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";
import { zInvoiceCreate, zInvoicePage, zInvoiceRead } from "./schemas/zod.gen.js";

type InvoiceCreate = components["schemas"]["InvoiceCreate"];
type InvoiceRead = components["schemas"]["InvoiceRead"];

const client = createClient<paths>({
  baseUrl: process.env["CARBOY_URL"] ?? "http://127.0.0.1:8000",
  headers: { Authorization: `Bearer ${process.env["CARBOY_TOKEN"]}` },
});

const owner = await client.POST("/api/users", { body: { username: "ada", email: "ada@example.org" } });
assert(owner.data);
const body: InvoiceCreate = {
  number: "A-1",
  owner_id: owner.data.id,
  amount: "12.50",
  due_on: "2026-12-24",
  lines: [{ text: "A thing", price: "10.00" }, { text: "Another", price: 2.5 }],
  tags: ["red"],
};
assert.deepEqual(zInvoiceCreate.parse(body), { ...body, quantity: 1, remind_at: null, status: "draft", weight: null });
for (const wrong of [{ amount: "12.505" }, { status: "lost" }, { owner_id: 0 }, { due_on: "2026-12-24T10:00:00Z" }]) {
  assert.equal(zInvoiceCreate.safeParse({ ...body, ...wrong }).success, false, JSON.stringify(wrong));
}

const created = await client.POST("/api/invoices", { body });
const invoice: InvoiceRead | undefined = created.data;
assert(invoice, `${created.response.status}`);
zInvoiceRead.parse(invoice);
assert.deepEqual(invoice.owner, { id: owner.data.id, username: "ada" });
assert.deepEqual([invoice.amount, invoice.status, invoice.quantity, invoice.tags], ["12.50", "draft", 1, ["red"]]);
assert.deepEqual(invoice.lines.map((line) => line.price), ["10.00", "2.50"]);

for (const [tag, items] of [["red", [invoice]], ["blue", []]] as const) {
  const query = { owner: "ADA", status: "draft,sent", due_before: "2026-12-25", sort: "-remind,due", tag };
  const page = (await client.GET("/api/invoices", { params: { query } })).data;
  assert.deepEqual(page?.items, items);
  zInvoicePage.parse(page);
}

const path = { invoice_id: invoice.id };
const header = { "If-Match": created.response.headers.get("ETag") ?? "" };
const changed = await client.PATCH("/api/invoices/{invoice_id}", {
  params: { path, header },
  body: { status: "paid", remind_at: "2026-12-01T00:00:00Z", tags: [] },
  headers: { "Content-Type": "application/merge-patch+json" },
});
assert.deepEqual([changed.data?.status, changed.data?.tags], ["paid", []]);
const stale = await client.DELETE("/api/invoices/{invoice_id}", { params: { path, header } });
assert.equal(stale.error?.code, "stale_version");
const nobodys = await client.POST("/api/invoices", { body: { ...body, number: "A-2", owner_id: 2 ** 40 } });
assert.deepEqual(nobodys.error?.errors?.map(({ pointer }) => pointer), ["#/owner_id"]);
