// What test_typescript_client.py runs: the zod schemas that hey-api generates from the document accept and refuse the
// same values as the API.
import assert from "node:assert/strict";

import { zProblem, zUserCreate, zUserPage, zUserUpdate } from "./schemas/zod.gen.js";

const ada = { username: "ada", email: "ada@example.org" };

assert.deepEqual(zUserCreate.parse(ada), { ...ada, full_name: null, active: true });
assert.deepEqual(zUserUpdate.parse({ full_name: null }), { full_name: null });
for (const username of ["", "a".repeat(81), "a\u2028b", "a\u0000b"]) {
  assert.equal(zUserCreate.safeParse({ ...ada, username }).success, false, JSON.stringify(username));
}
// The neighbours of the line separators, which a pattern that is spelt out wrongly would refuse too.
for (const username of ["a\u2027b", "a\u202ab"]) {
  assert.equal(zUserCreate.safeParse({ ...ada, username }).success, true, JSON.stringify(username));
}

const url = process.env["CARBOY_URL"];
const headers = { Authorization: `Bearer ${process.env["CARBOY_TOKEN"]}` };
const created = await fetch(`${url}/api/users`, {
  method: "POST",
  headers: { ...headers, "Content-Type": "application/json" },
  body: JSON.stringify(zUserCreate.parse(ada)),
});
assert.equal(created.status, 201);
const page = zUserPage.parse(await (await fetch(`${url}/api/users`, { headers })).json());
assert.deepEqual(page.items.map((user) => user.username), ["ada"]);
assert.equal(zProblem.parse(await (await fetch(`${url}/api/users/0`, { headers })).json()).status, 404);
