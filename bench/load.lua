-- The load that wrk makes: method, path, body and token of a job, with ids in turn and text that no other request has.
local method, path, body, users, salt, token
local count = 0

function init(args)
  method, path, body, users, salt, token = args[1], args[2], args[3], tonumber(args[4]), args[5], args[6]
end

function request()
  count = count + 1
  local id = tostring((count * 7919) % users + 1)
  local unique = salt .. count
  local headers = {}
  if body ~= "" then headers["Content-Type"] = "application/json" end
  if token ~= "" then headers["Authorization"] = "Bearer " .. token end
  local filled = body:gsub("{unique}", unique)
  local target = path:gsub("{id}", id)
  return wrk.format(method, target, headers, body ~= "" and filled or nil)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "failed": %d}\n', summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
