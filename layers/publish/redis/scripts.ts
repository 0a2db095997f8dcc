/**
 * What Redis does in one step. All keys of a set begin with one prefix in braces, its hash tag, so that they live on
 * one node of a cluster; scripts make names of keys from it.
 *
 * `P`            HASH, the pointer: what readers see now, and what no older publication may pass.
 * `P:versions`   ZSET of versions that are there: when they were begun, or when they were superseded (milliseconds).
 * `P:v:ID`       HASH: token, fingerprint, digest, `key` of its rows, expected number of rows.
 * `P:ID`         the rows in their form; of a lookup, HASH from row to digest; `P:ID:rows` LIST of rows as JSON.
 * `P:row:R:D`    STRING: row R of a lookup with digest D, shared by all versions that have it.
 * `P:events`     STREAM of versions that became the one to read.
 */

const NOW = "local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)";

/** KEYS: pointer. ARGV: epoch for a set that has none. Gives the pointer's fields. */
export const BEGIN = `
redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1])
return redis.call('HGETALL', KEYS[1])`;

/**
 * Makes a version known before anything of it is written, or of another reused: from then on nothing that it names is
 * cleaned away. KEYS: versions, version. ARGV: id, fields…
 */
export const REGISTER = `
${NOW}
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
redis.call('ZADD', KEYS[1], now, ARGV[1])
return 1`;

/** Says that the publisher of a version is alive. KEYS: versions. ARGV: id. */
export const TOUCH = `
${NOW}
return redis.call('ZADD', KEYS[1], 'XX', now, ARGV[1])`;

/**
 * Which rows of a lookup are there already; those that are live as long as this version. KEYS: pointer. ARGV: seconds
 * to live (0: for ever), then row and digest of each. Gives one character a row, 1 where it is there.
 */
export const CHECK_ROWS = `
local ttl = tonumber(ARGV[1])
local found = {}
for i = 2, #ARGV, 2 do
  local key = KEYS[1] .. ':row:' .. ARGV[i] .. ':' .. ARGV[i + 1]
  local there = redis.call('EXISTS', key)
  if there == 1 then
    if ttl > 0 then redis.call('EXPIRE', key, ttl) else redis.call('PERSIST', key) end
  end
  found[#found + 1] = there
end
return table.concat(found)`;

/**
 * Moves the pointer to a version that is complete. KEYS: pointer, versions, version, events. ARGV: epoch, id, id that
 * was current when it was begun, seconds to live, length of the stream, channel, stamp (JSON), token, fingerprint.
 * Gives status and id of the event. The first write is one that a full memory refuses, so that nothing is half done.
 */
export const MOVE = `
local function lengthOf(key, kind)
  if kind == 'scalar' then return redis.call('EXISTS', key) end
  if kind == 'list' then return redis.call('LLEN', key) end
  if kind == 'hash' or kind == 'lookup' then return redis.call('HLEN', key) end
  return redis.call('ZCARD', key)
end
local function live(key, ttl)
  if ttl > 0 then redis.call('EXPIRE', key, ttl) else redis.call('PERSIST', key) end
end
if redis.acl_check_cmd and not redis.acl_check_cmd('PUBLISH', ARGV[6], '') then
  return redis.error_reply('NOPERM no permission to PUBLISH on the channel ' .. ARGV[6])
end
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {'lost', ''} end
if not redis.call('ZSCORE', KEYS[2], ARGV[2]) then return {'lost', ''} end
local meta = redis.call('HMGET', KEYS[3], 'key', 'kind', 'length', 'rows', 'token')
if not meta[1] or not meta[5] then return {'lost', ''} end
local newest = redis.call('HGET', KEYS[1], 'newest')
local current = redis.call('HGET', KEYS[1], 'current')
if newest and newest > ARGV[8] then return {'stale', ''} end
if newest == ARGV[8] and current and current ~= ARGV[3] then return {'unchanged', ''} end
if lengthOf(meta[1], meta[2]) ~= tonumber(meta[3]) then return {'lost', ''} end
local both = meta[2] ~= 'list' and meta[2] ~= 'lookup'
if both and redis.call('LLEN', meta[1] .. ':rows') ~= tonumber(meta[4]) then return {'lost', ''} end
local event = redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[5], '*', 'stamp', ARGV[7], 'rolledBack', '0')
${NOW}
redis.call('HDEL', KEYS[1], 'rolledBack', 'previous')
if current then
  redis.call('HSET', KEYS[1], 'previous', current)
  redis.call('ZADD', KEYS[2], 'XX', now, current)
end
redis.call('HSET', KEYS[1], 'current', ARGV[2], 'newest', ARGV[8], 'token', ARGV[8], 'fingerprint', ARGV[9],
  'stamp', ARGV[7], 'key', meta[1], 'kind', meta[2], 'length', meta[3], 'rows', meta[4], 'event', event)
redis.call('HSET', KEYS[3], 'moved', '1', 'stamp', ARGV[7])
local ttl = tonumber(ARGV[4])
live(KEYS[3], ttl)
live(meta[1], ttl)
if both then live(meta[1] .. ':rows', ttl) end
redis.call('PUBLISH', ARGV[6], '{"id":"' .. event .. '","rolledBack":false,' .. string.sub(ARGV[7], 2))
return {'published', event}`;

/** Gives the current version its time again. KEYS: pointer, version, rows…. ARGV: epoch, id, seconds, stamp. */
export const RENEW = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] or redis.call('HGET', KEYS[1], 'current') ~= ARGV[2] then
  return 0
end
for i = 2, #KEYS do
  if tonumber(ARGV[3]) > 0 then redis.call('EXPIRE', KEYS[i], ARGV[3]) else redis.call('PERSIST', KEYS[i]) end
end
redis.call('HSET', KEYS[1], 'stamp', ARGV[4])
redis.call('HSET', KEYS[2], 'stamp', ARGV[4])
return 1`;

/** KEYS: pointer, versions, events. ARGV: length of the stream, channel. Gives the stamp of what is shown again. */
export const ROLLBACK = `
local previous = redis.call('HGET', KEYS[1], 'previous')
local current = redis.call('HGET', KEYS[1], 'current')
if not previous or not current then return false end
local meta = redis.call('HMGET', KEYS[1] .. ':v:' .. previous, 'key', 'kind', 'length', 'rows', 'token', 'stamp', 'fingerprint')
if not meta[1] or not meta[6] or (tonumber(meta[3]) > 0 and redis.call('EXISTS', meta[1]) == 0) then return false end
local event = redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[1], '*', 'stamp', meta[6], 'rolledBack', '1')
${NOW}
redis.call('ZADD', KEYS[2], 'XX', now, current)
redis.call('HSET', KEYS[1], 'current', previous, 'token', meta[5], 'fingerprint', meta[7], 'stamp', meta[6],
  'key', meta[1], 'kind', meta[2], 'length', meta[3], 'rows', meta[4], 'event', event, 'rolledBack', '1')
redis.call('HDEL', KEYS[1], 'previous')
redis.call('PUBLISH', ARGV[2], '{"id":"' .. event .. '","rolledBack":true,' .. string.sub(meta[6], 2))
return meta[6]`;

/**
 * Which versions nobody needs: superseded or given up long enough ago, or too many. They lose their token, which works
 * in a memory that is full, and with it can neither be shown any more nor keep rows of others. KEYS: pointer, versions. ARGV: milliseconds of grace, milliseconds after
 * which a publisher counts as dead, most versions, then ids that their publisher has given up. Gives ids.
 */
export const MARK_DYING = `
${NOW}
local state = redis.call('HMGET', KEYS[1], 'current', 'previous')
local ids = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
local superseded = {}
local dying = {}
local abandoned = {}
for i = 4, #ARGV do abandoned[ARGV[i]] = true end
for i = 1, #ids, 2 do
  local id = ids[i]
  if id ~= state[1] and id ~= state[2] then
    local meta = redis.call('HMGET', KEYS[1] .. ':v:' .. id, 'moved', 'token')
    local age = now - ids[i + 1]
    if not meta[2] then dying[#dying + 1] = id
    elseif meta[1] then superseded[#superseded + 1] = { id, age }
    elseif abandoned[id] or age > tonumber(ARGV[2]) then dying[#dying + 1] = id end
  end
end
for i, entry in ipairs(superseded) do
  if entry[2] > tonumber(ARGV[1]) or i <= #superseded - tonumber(ARGV[3]) then dying[#dying + 1] = entry[1] end
end
for _, id in ipairs(dying) do redis.call('HDEL', KEYS[1] .. ':v:' .. id, 'token') end
return dying`;

/** KEYS: pointer, versions. ARGV: the dying version, then row and digest of some of its rows. */
export const CLEAN_ROWS = `
local manifests = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if id ~= ARGV[1] and redis.call('HEXISTS', KEYS[1] .. ':v:' .. id, 'token') == 1 then
    manifests[#manifests + 1] = KEYS[1] .. ':' .. id
  end
end
for i = 2, #ARGV, 2 do
  local used = false
  for _, manifest in ipairs(manifests) do
    if redis.call('TYPE', manifest).ok == 'hash' and redis.call('HGET', manifest, ARGV[i]) == ARGV[i + 1] then used = true end
  end
  if not used then redis.call('UNLINK', KEYS[1] .. ':row:' .. ARGV[i] .. ':' .. ARGV[i + 1]) end
  redis.call('HDEL', KEYS[1] .. ':' .. ARGV[1], ARGV[i])
end
return 1`;

/** Removes a dying version whose rows nobody else has, or are gone. KEYS: pointer, versions. ARGV: id. */
export const CLEAN_VERSION = `
local meta = KEYS[1] .. ':v:' .. ARGV[1]
local key = redis.call('HGET', meta, 'key')
local shared = false
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if id ~= ARGV[1] and redis.call('HGET', KEYS[1] .. ':v:' .. id, 'key') == key then shared = true end
end
if key and not shared then redis.call('UNLINK', key, key .. ':rows') end
redis.call('UNLINK', meta)
return redis.call('ZREM', KEYS[2], ARGV[1])`;
