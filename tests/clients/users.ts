// What a program does with the users API through the client that openapi-typescript and openapi-fetch make of its document.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Problem = components["schemas"]["Problem"];
type UserCreate = components["schemas"]["UserCreate"];
type UserPage = components["schemas"]["UserPage"];
type UserUpdate = components["schemas"]["UserUpdate"];

const client = createClient<paths>({
  baseUrl: process.env["CARBOY_URL"] ?? "http://127.0.0.1:8000",
  headers: { Authorization: `Bearer ${process.env["CARBOY_TOKEN"]}` },
});

const mergePatch = { "Content-Type": "application/merge-patch+json" };

function registration(): UserCreate {
  const username = `ts-${randomUUID()}`;
  return { username, email: `${username}@example.org` };
}

async function createUser(body = registration(), key?: string) {
  const { data, response } = await client.POST("/api/users", {
    body,
    params: key === undefined ? {} : { header: { "Idempotency-Key": key } },
  });
  assert(data, `${response.status}`);
  return { user: data, response, etag: etagOf(response) };
}

async function updateUser(user_id: number, body: UserUpdate, etag: string) {
  const params = { path: { user_id }, header: { "If-Match": etag } };
  return client.PATCH("/api/users/{user_id}", { params, body, headers: mergePatch });
}

// A page of whole users: the document cannot tell that these come if `fields` is not asked for.
async function pageOf(query: NonNullable<paths["/api/users"]["get"]["parameters"]["query"]>) {
  const { data, response } = await client.GET("/api/users", { params: { query } });
  assert(data, `${response.status}`);
  return { page: data as UserPage, links: response.headers.get("Link") };
}

function etagOf(response: Response): string {
  const etag = response.headers.get("ETag");
  assert(etag);
  return etag;
}

function assertProblem(answer: { error?: Problem; response: Response }, status: number, code: string): Problem {
  const { error, response } = answer;
  assert(error, `${response.status} where ${status} was expected`);
  assert.equal(response.headers.get("Content-Type"), "application/problem+json");
  assert.deepEqual([response.status, error.status, error.code], [status, status, code]);
  assert.equal(error.request_id, response.headers.get("X-Request-ID"));
  return error;
}

test("a person logs in and sees themselves", async () => {
  const { data } = await client.POST("/api/auth/login", {
    body: { login: "pat", password: process.env["CARBOY_PASSWORD"] ?? "" },
  });
  assert(data?.access_token);
  const headers = { Authorization: `Bearer ${data.access_token}` };
  const me = await client.GET("/api/me", { headers });
  assert.equal(me.data?.name, "pat");
});

test("a user is created, read and deleted", async () => {
  const { user, response, etag } = await createUser();
  assert.deepEqual([user.full_name, user.active, user.version], [null, true, 1]);
  assert(response.headers.get("Location")?.endsWith(`/api/users/${user.id}`));

  const params = { path: { user_id: user.id } };
  assert.deepEqual((await client.GET("/api/users/{user_id}", { params })).data, user);
  const unchanged = await client.GET("/api/users/{user_id}", { params: { ...params, header: { "If-None-Match": etag } } });
  assert.equal(unchanged.response.status, 304);

  const deleted = await client.DELETE("/api/users/{user_id}", { params: { ...params, header: { "If-Match": etag } } });
  assert.equal(deleted.response.status, 204);
});

test("pages lead forward to the end and back to the beginning", async () => {
  for (let count = 0; count < 5; count++) await createUser();
  const forward: number[][] = [];
  let cursor: string | null = null;
  let last: UserPage;
  do {
    const { page, links } = await pageOf({ limit: 2, sort: "-id", ...(cursor === null ? {} : { cursor }) });
    assert.equal(links?.includes('rel="next"') ?? false, page.next_cursor !== null);
    assert.equal(links?.includes('rel="prev"') ?? false, page.previous_cursor !== null);
    forward.push(page.items.map((user) => user.id));
    cursor = page.next_cursor;
    last = page;
  } while (cursor !== null);

  const backward = [last.items.map((user) => user.id)];
  for (cursor = last.previous_cursor; cursor !== null; cursor = last.previous_cursor) {
    last = (await pageOf({ limit: 2, sort: "-id", cursor })).page;
    backward.unshift(last.items.map((user) => user.id));
  }
  assert.deepEqual(backward, forward);
  assert.equal(forward.flat().length, (await pageOf({ limit: 1, total: true })).page.total);
});

test("a list is searched, filtered and cut to some fields", async () => {
  const { user } = await createUser();
  const query = { username: user.username, email: user.email, active: true, q: user.username };
  assert.deepEqual((await pageOf(query)).page.items, [user]);
  const sparse = await client.GET("/api/users", { params: { query: { ...query, fields: "id,email" } } });
  assert.deepEqual(sparse.data?.items, [{ id: user.id, email: user.email }]);
});

test("in a change null removes what absence leaves as it is", async () => {
  const { user, etag } = await createUser({ ...registration(), full_name: "Ada Lovelace" });
  const left = await updateUser(user.id, { active: false }, etag);
  assert.deepEqual([left.data?.active, left.data?.full_name], [false, "Ada Lovelace"]);
  const removed = await updateUser(user.id, { full_name: null }, etagOf(left.response));
  assert.deepEqual([removed.data?.active, removed.data?.full_name], [false, null]);
});

test("a change goes by POST and as plain JSON too", async () => {
  const { user, etag } = await createUser();
  const params = { path: { user_id: user.id }, header: { "If-Match": etag } };
  const changed = await client.POST("/api/users/{user_id}", { params, body: { full_name: "Ada" } });
  assert.equal(changed.data?.full_name, "Ada");
});

test("a change of what has changed meanwhile is refused", async () => {
  const { user, etag } = await createUser();
  assert((await updateUser(user.id, { full_name: "first" }, etag)).data);
  assertProblem(await updateUser(user.id, { full_name: "second" }, etag), 412, "stale_version");
});

test("a change that does not say what it found is refused where that is required", async () => {
  const { user } = await createUser();
  const params = { path: { user_id: user.id } };
  assertProblem(await client.PATCH("/api/users/{user_id}", { params, body: {} }), 428, "precondition_required");
});

test("a request that is sent again with its key is answered as the first was", async () => {
  const [body, key] = [registration(), randomUUID()];
  const first = await createUser(body, key);
  const second = await createUser(body, key);
  assert.deepEqual(second.user, first.user);
  const replayed = [first, second].map(({ response }) => response.headers.get("Idempotency-Replayed"));
  assert.deepEqual(replayed, [null, "true"]);
});

test("a cursor that was tampered with is refused", async () => {
  await createUser();
  await createUser();
  const { next_cursor } = (await pageOf({ limit: 1 })).page;
  const answer = await client.GET("/api/users", { params: { query: { cursor: `${next_cursor}x` } } });
  assertProblem(answer, 400, "invalid_cursor");
});

test("a user that is not there is not found", async () => {
  const params = { path: { user_id: 2 ** 40 } };
  assertProblem(await client.GET("/api/users/{user_id}", { params }), 404, "user_not_found");
});

test("an answer in a type that there is not is refused", async () => {
  assertProblem(await client.GET("/api/users", { headers: { Accept: "text/csv" } }), 406, "not_acceptable");
});

test("a name that is taken is refused", async () => {
  const body = registration();
  await createUser(body);
  assertProblem(await client.POST("/api/users", { body }), 409, "username_taken");
});

test("a body of a type that is not understood is refused", async () => {
  const headers = { "Content-Type": "text/plain" };
  const answer = await client.POST("/api/users", { body: registration(), headers });
  assertProblem(answer, 415, "unsupported_media_type");
});

test("a field that is not valid is named", async () => {
  const answer = await client.POST("/api/users", { body: { ...registration(), username: "" } });
  const { errors } = assertProblem(answer, 422, "invalid_input");
  assert.deepEqual(errors?.map(({ pointer }) => pointer), ["#/username"]);
});
