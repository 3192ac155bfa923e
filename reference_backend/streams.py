"""A queue as a stream of Valkey's: its names, what the broker does in one step, and the supervisor's view of it."""

from __future__ import annotations

from dataclasses import replace

import redis

from reference_backend.ports import LOOPBACK
from reference_backend.processes import Command

STREAM = "messages"
DEAD_LETTERS = "dead_letters"
GROUP = "consumers"
FIELD = "message"

# Publishing into a bounded queue: what waits is what the stream holds beyond what is delivered and unacknowledged.
# KEYS: stream. ARGV: group, capacity, overflow, field, message. Returns the new entry's id ("" if it was rejected) and
# that of the entry which was dropped for it ("" if none was).
PUBLISH_BOUNDED = """
local waiting = redis.call('XLEN', KEYS[1]) - redis.call('XPENDING', KEYS[1], ARGV[1])[1]
local dropped = ''
if waiting >= tonumber(ARGV[2]) then
  if ARGV[3] == 'reject' then return {'', ''} end
  local group = redis.call('XINFO', 'GROUPS', KEYS[1])[1]
  for place = 1, #group, 2 do
    if group[place] == 'last-delivered-id' then
      local oldest = redis.call('XRANGE', KEYS[1], '(' .. group[place + 1], '+', 'COUNT', 1)[1]
      if oldest then
        dropped = oldest[1]
        redis.call('XDEL', KEYS[1], dropped)
      end
    end
  end
end
return {redis.call('XADD', KEYS[1], '*', ARGV[4], ARGV[5]), dropped}
"""

# Taking one message: first one whose visibility timeout is over (what XAUTOCLAIM does, which does not tell how often it
# was delivered), then a new one; those that were delivered often enough become dead letters on the way.
# KEYS: stream, dead letters. ARGV: group, consumer, visibility timeout in ms (0: none), deliveries allowed, and NOACK
# or "". Returns the dead ({id, deliveries} each) and the message: {id, its number of delivery, fields}, or {} if there
# is none.
TAKE = """
local visibility, dead = tonumber(ARGV[3]), {}
while visibility > 0 do
  local out = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', visibility, '-', '+', 1)[1]
  if not out then break end
  local id, deliveries = out[1], out[4]
  if deliveries < tonumber(ARGV[4]) then
    local claimed = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], visibility, id)[1]
    if claimed then return {dead, {id, deliveries + 1, claimed[2]}} end
  else
    local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
    if entry then redis.call('XADD', KEYS[2], '*', unpack(entry[2])) end
    redis.call('XACK', KEYS[1], ARGV[1], id)
    redis.call('XDEL', KEYS[1], id)
    dead[#dead + 1] = {id, deliveries}
  end
end
local read
if ARGV[5] == 'NOACK' then
  read = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'NOACK', 'STREAMS', KEYS[1], '>')
else
  read = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', KEYS[1], '>')
end
if not read then return {dead, {}} end
local entry = read[1][2][1]
return {dead, {entry[1], 1, entry[2]}}
"""


def punctual(command: Command) -> Command:
    """Return how to start a Valkey server whose blocked clients hear within 5 ms that their wait is over.

    An idle server looks after them ``hz`` times a second, 10 by default.
    """
    return replace(command, arguments=[*command.arguments, "--hz", "200"])


class QueueControl:
    """The supervisor's own connection to a queue."""

    def __init__(self, *, port: int) -> None:
        self._redis = redis.Redis(
            host=LOOPBACK, port=port, socket_timeout=5.0, socket_connect_timeout=1.0, decode_responses=True
        )

    def answers_as(self, pid: int) -> bool:
        """Return whether the server that listens there is that process, and not one that took the port before it."""
        try:
            return int(self._redis.info("server")["process_id"]) == pid
        except redis.RedisError:
            return False  # not up yet: the caller asks again until its deadline

    def make_group(self) -> None:
        """Make the stream and the group of its consumers."""
        self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)

    def messages(self) -> int:
        """Return how many messages wait or are delivered and not acknowledged."""
        return int(self._redis.xlen(STREAM))

    def empty(self) -> None:
        """Forget every message; the group stays, and the consumers that wait on it do not notice."""
        self._redis.xtrim(STREAM, maxlen=0, approximate=False)
        while pending := self._redis.xpending_range(STREAM, GROUP, "-", "+", 1000):
            self._redis.xack(STREAM, GROUP, *(each["message_id"] for each in pending))
        self._redis.delete(DEAD_LETTERS)

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()
