#!/bin/sh
# homing.sh: tells a Homing server which addresses this machine has, by the signed request, without Python.
#
# It needs curl 7.55 or later, one of sha256sum, openssl, shasum or sha256, and the ordinary tools of a Unix. Tested
# with dash, bash and busybox. The secret and the API key go through pipes only: they stand on no command line, in no
# child's environment and in no file of ours. That is why only the shell's own printf touches them, and why HMAC is
# put together here: openssl would want the key on its command line, where `ps` shows it.
#
# shellcheck disable=SC2086,SC2046  # lists of names and numbers stand in variables, and are split on purpose
set -fu
umask 077
LC_ALL=C # a character is a byte
export LC_ALL
unset secret api_key key line # were one of them in the environment, children would be given our value too
newline='
'

usage() {
  cat <<'EOF'
usage: homing.sh -u URL -n NAME [-n NAME ...] -s FILE [option ...]

  -u URL      the server, as https://ddns.home.example       (HOMING_CLIENT_SERVER)
  -n NAME     a name to set; several that share a secret     (HOMING_CLIENT_NAMES, with commas)
              are set by one request, all or none
  -s FILE     its first line is the secret; - is standard    (HOMING_CLIENT_SECRET_FILE, HOMING_CLIENT_SECRET)
              input
  -k FILE     likewise the API key, if there is one          (HOMING_CLIENT_API_KEY_FILE, HOMING_CLIENT_API_KEY)
  -4 or -6    leave the other family alone
  -i ADDRESS  set this one, instead of asking the server what it sees; once for each family
  -p          take a private address from the server too     (HOMING_CLIENT_ALLOW_INTERNAL=true)
  -c FILE     note here what was sent, and send nothing for a day as long as DNS shows it; for an hour where no
              program asks DNS
  -q          print failures only
  -N          dry run: say what would be sent
  -h          this text

Exit codes: 0 done or nothing to do, 1 refused, 2 wrong usage, 3 temporary, try again.
A request may take HOMING_CLIENT_TIMEOUT seconds (10). CURL_CA_BUNDLE names certificates of your own.
EOF
}

has() { command -v "$1" >/dev/null 2>&1; }
warn() { printf 'homing.sh: %s\n' "$*" >&2; }
end() { warn "$2" && exit "$1"; } # EXIT-CODE TEXT

# Enough to tell an address from a web page; the server looks more closely.
is_ipv4() { [ ${#1} -lt 16 ] && case $1 in *[!0-9.]* | *.*.*.*.*) false ;; *?.?*.?*.?*) ;; *) false ;; esac }
is_ipv6() { [ ${#1} -lt 40 ] && case $1 in *[!0-9a-fA-F:]* | *:::* | *::*::*) false ;; *:*:*) ;; *) false ;; esac }
is_private() { # what the Internet cannot reach: the usual suspects; the server has the whole list, IANA's
  case $1 in
  0.* | 10.* | 127.* | 169.254.* | 192.168.* | 192.0.[02].* | 198.1[89].* | 198.51.100.* | 203.0.113.*) ;;
  100.6[4-9].* | 100.[789]?.* | 100.1[01]?.* | 100.12[0-7].* | 172.1[6-9].* | 172.2?.* | 172.3[01].*) ;;
  22[4-9].* | 2[345]?.* | 2001:db8:*) ;;
  *.* | [23][0-9a-f][0-9a-f][0-9a-f]:*) false ;; # the rest of IPv4; global unicast (RFC 4291 section 2.4)
  esac
}

# --- what is asked for

server=${HOMING_CLIENT_SERVER-} wanted=${HOMING_CLIENT_NAMES-} timeout=${HOMING_CLIENT_TIMEOUT-10}
secret_file=${HOMING_CLIENT_SECRET_FILE-} secret=${HOMING_CLIENT_SECRET-}
api_key_file=${HOMING_CLIENT_API_KEY_FILE-} api_key=${HOMING_CLIENT_API_KEY-}
unset HOMING_CLIENT_SECRET HOMING_CLIENT_API_KEY
case ${HOMING_CLIENT_ALLOW_INTERNAL-} in 1 | true | yes | on) private=yes ;; *) private='' ;; esac
families='4 6' named='' ipv4='' ipv6='' cache='' quiet='' dry=''

while getopts 46u:n:s:k:i:pc:qNh option; do
  case $option in
  4 | 6) families=$option ;;
  u) server=$OPTARG ;;
  n) named="$named $OPTARG" ;;
  s) secret_file=$OPTARG secret='' ;;
  k) api_key_file=$OPTARG api_key='' ;;
  i)
    if is_ipv4 "$OPTARG"; then ipv4=$OPTARG; elif is_ipv6 "$OPTARG"; then ipv6=$OPTARG; else end 2 "-i: no address"; fi
    ;;
  p) private=yes ;;
  c) cache=$OPTARG ;;
  q) quiet=yes ;;
  N) dry=yes ;;
  h) usage && exit 0 ;;
  *) end 2 "-h tells what there is" ;;
  esac
done
shift $((OPTIND - 1))
[ $# -eq 0 ] || end 2 "$1: not understood; a name goes behind -n"

server=${server%/}
case $server in
*[!!-~]* | *@* | *\?* | *\#*) end 2 "-u: expected a URL without user, query and blanks" ;;
http://?* | https://?*) ;;
*) end 2 "-u: expected the server's URL, such as https://ddns.home.example" ;;
esac
case $timeout in '' | 0 | 00 | 000 | ????* | *[!0-9]*) end 2 "HOMING_CLIENT_TIMEOUT: expected 1 to 999 seconds" ;; esac

names='' # as the server writes them: in lower case, with the final dot
for name in $(printf %s "${named:-$wanted}" | tr 'A-Z,' 'a-z '); do
  case $name in .* | *..* | *[!a-z0-9._-]*) end 2 "-n: $name is no host's name" ;; esac
  names="$names ${name%.}."
done
[ "$names" ] || end 2 "-n: which name is to be set?"

read_secret() { # FILE OPTION: sets $line to the first line of the file, without blanks around it
  if [ "$1" = - ]; then
    IFS=' 	' read -r line
  else
    if [ ! -f "$1" ] || [ ! -r "$1" ]; then end 2 "$2: $1: no such file, or it may not be read"; fi
    case $(ls -dlL -- "$1") in ???????--*) ;; *) warn "$1 may be read by others: chmod 600 $1" ;; esac
    IFS=' 	' read -r line <"$1"
  fi
  line=${line%"$(printf '\r')"} # a file from Windows
  [ "$line" ] || end 2 "$2: $1 is empty"
}
if [ -z "$secret" ] && [ "$secret_file" ]; then read_secret "$secret_file" -s && secret=$line; fi
if [ -z "$api_key" ] && [ "$api_key_file" ]; then read_secret "$api_key_file" -k && api_key=$line; fi
[ "$secret" ] || end 2 "-s: which file holds the secret?"

# --- HMAC-SHA256 (RFC 2104), made of a program that can no more than SHA-256 of its standard input

if has sha256sum; then sha256() { sha256sum | sed 's/ .*//'; }
elif has openssl; then sha256() { openssl dgst -sha256 | sed 's/.* //'; }
elif has shasum; then sha256() { shasum -a 256 | sed 's/ .*//'; }
elif has sha256; then sha256() { command sha256 -q; } # BSD
else
  end 2 "neither sha256sum nor openssl, shasum or sha256 is installed"
fi
has curl || end 2 "curl is not installed"
case $(command -v printf) in */*) end 2 "this shell has no printf of its own, and ps would show the secret" ;; esac

numbers() { # of the bytes on standard input: a shell's variable cannot hold every byte, but their numbers
  if has od; then od -An -v -tu1; else hexdump -v -e '1/1 "%u "'; fi # OpenWrt has no od
}
numbers_of_hex() { printf %s "$1" | sed 's/../0x& /g'; }
bytes() { # MASK NUMBER...: prints the bytes of these numbers, each XOR the mask
  mask=$1 octal=''
  shift
  for number; do
    number=$((number ^ mask))
    octal="$octal\\0$((number >> 6))$((number >> 3 & 7))$((number & 7))"
  done
  printf %b "$octal"
}
make_key() { # prints the 64 numbers of the key
  set -- $(printf %s "$secret" | numbers)
  [ $# -le 64 ] || set -- $(numbers_of_hex "$(printf %s "$secret" | sha256)")
  while [ $# -lt 64 ]; do set -- "$@" 0; done
  printf '%s ' "$@"
}
sign() { # TEXT
  inner=$({ bytes 0x36 $key && printf %s "$1"; } | sha256)
  { bytes 0x5c $key && bytes 0 $(numbers_of_hex "$inner"); } | sha256
}
key=$(make_key)

# --- HTTP and JSON

ask() { # PATH OPTION...: prints the body, the status and curl's exit code, the latter two in lines of their own
  path=$1
  shift
  # No redirect is followed, no ~/.curlrc read, no proxy between. Time, rate and tail bound a body that never ends.
  {
    curl -q -sS -g --noproxy '*' --proto '=http,https' --connect-timeout 5 --max-time "$timeout" \
      --max-filesize 65536 --limit-rate 64k -w '\n%{http_code}' -H @- "$@" "$server$path" 2>&1
    printf '\n%s' $?
  } | tail -c 20000 # more than 90 addresses take, the most that a request may have
}
headers() { [ -z "$api_key" ] || printf 'x-api-key: %s\n' "$api_key"; }
take_apart() { # REPLY: sets $failure (0: none), $status and $text, or $ails to what curl says
  failure=${1##*"$newline"} text=${1%"$newline"*}
  if [ "$failure" -ne 0 ]; then
    ails=${text##*curl: } && ails=${ails%%"$newline"*}
  fi
  status=${text##*"$newline"} text=${text%"$newline"*} && text=${text%"$newline"}
}
member() { # NAME TEXT: prints that member of a JSON object
  printf %s "$2" | sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" | tr -cd ' -~' | cut -c 1-200
}
milliseconds() { # NAME TEXT: likewise; 0 where it is none
  found=$(member "$1" "$2")
  case $found in '' | *[!0-9]* | ???????????????*) echo 0 ;; *) echo "$found" ;; esac
}

# --- which addresses

code=0 absent=''
see() { # 4 or 6: sets $ipv4 or $ipv6 to what the server sees
  take_apart "$(headers | ask /ip "-$1")"
  case $failure in 6 | 7 | 28) # no such address, no way there, no answer: this family is not here
    absent="$absent; IPv$1: $ails"
    return
    ;;
  esac
  if [ "$failure" -ne 0 ]; then
    why=$ails
  elif [ "$status" != 200 ] || ! "is_ipv$1" "$text"; then
    why="HTTP $status without an IPv$1 address: a captive portal, or not the server's URL"
  elif is_private "$text" && [ -z "$private" ]; then
    why="it sees $text, which the Internet cannot reach: a proxy in between? -p takes it all the same"
  else
    eval "ipv$1=\$text"
    return
  fi
  warn "IPv$1: $server/ip: $why"
  code=3
}
case $families in 4) ipv6='' ;; 6) ipv4='' ;; esac
if [ -z "$ipv4$ipv6" ]; then
  for one in $families; do see "$one"; done
  [ "$ipv4$ipv6" ] || end 3 "no address to send$absent"
fi
for name in ${dry:+$names}; do echo "$name would be set to${ipv4:+ $ipv4}${ipv6:+ $ipv6}"; done
[ -z "$dry" ] || exit "$code"

# --- what need not be sent again

is_shown() { # NAME TYPE ADDRESS: does DNS say so? What stands before the answer names servers, not the host.
  if has dig; then dig +short +time=3 +tries=1 "$1" "$2"
  elif has drill; then drill "$1" "$2" | sed '/^;/d'
  elif has host; then host -W 3 -t "$2" "$1"
  else nslookup "-type=$2" "$1" | sed -n '/^Name:/,$p'; fi 2>/dev/null | sed 's/.*[[:blank:]]//' | grep -Fqx -- "$3"
}
is_kept() { # was the same sent not long ago, and does DNS show it?
  age=$(($(date +%s) - since))
  if [ "$noted" != "$sent" ] || [ "$age" -lt 0 ] || [ "$age" -ge 86400 ]; then return 1; fi
  has dig || has drill || has host || has nslookup || return $((age >= 3600))
  for name in $names; do
    [ -z "$ipv4" ] || is_shown "$name" A "$ipv4" || return 1
    [ -z "$ipv6" ] || is_shown "$name" AAAA "$ipv6" || return 1
  done
}
sent="$server$names${ipv4:+ $ipv4}${ipv6:+ $ipv6}"
if [ "$cache" ] && [ -s "$cache" ]; then
  read -r mark since noted <"$cache"
  [ "$mark" = homing.sh ] || end 2 "-c: $cache holds something else, and would be overwritten"
  case $since in *[!0-9]* | ???????????*) since=0 ;; esac
  if is_kept; then
    for name in $names; do [ "$quiet" ] || echo "$name kept:${ipv4:+ $ipv4}${ipv6:+ $ipv6}"; done
    exit "$code"
  fi
  rm -f -- "$cache" # until the answer is there, nobody knows what the name is set to
fi

# --- the request

list="${ipv4:+\"$ipv4\"}${ipv4:+${ipv6:+, }}${ipv6:+\"$ipv6\"}" updates=''
for name in $names; do updates="$updates, {\"hostname\": \"$name\", \"addresses\": [$list]}"; done
set -- $names
request="{\"as\": \"$1\", \"updates\": [${updates#, }]}"

send() { # MILLISECONDS: sends it, signed for that time
  signature=$(sign "$1.$request")
  [ ${#signature} -eq 64 ] || end 3 "the SHA-256 of this machine does not work"
  take_apart "$({ headers && printf 'Homing-Signature: t=%s,v1=%s\n' "$1" "$signature"; } |
    ask /v1/update -H 'content-type: application/json' -d "$request")"
  [ "$failure" -eq 0 ] || end 3 "$server: $ails"
}
now=$(date +%s%3N) # GNU; others print what is no number, and know seconds only
case $now in *[!0-9]*) now=$(date +%s)000 ;; esac
send "$now"
if [ "$status" = 409 ]; then # our clock is wrong, or this is the second change within its tick
  theirs=$(milliseconds server_time "$text") newest=$(milliseconds signed_at "$text")
  away=$(((theirs - now) / 1000))
  # Whoever makes us sign for a time of their choice can send that when the time has come. TLS says who it is.
  case $server in
  https://* | http://127.0.0.1 | http://127.0.0.1[:/]* | http://localhost | http://localhost[:/]* | "http://[::1]"*) ;;
  *) [ "${away#-}" -le 300 ] || end 3 "this clock is off by $away s, says somebody without TLS: set the clock, or use https" ;;
  esac
  send $((newest < theirs ? theirs : newest + 1))
fi

error=$(member error "$text")
case $status,$error in
401,"not authenticated") end 1 "refused: the secret is not that of${names}, or there is no such host" ;;
40[013],?*) end 1 "refused: $error $(member detail "$text")" ;;
403,) [ "$(member message "$text")" != Forbidden ] || end 1 "refused: the API key is missing or wrong (-k)" ;;
409,?* | 503,?*) end 3 "$server: $error" ;;
esac
report=''
for name in $names; do
  line='' objects=$(printf %s "$text" | tr '{' '\n' | tr -d ' ' | grep -F "\"hostname\":\"$name\"")
  for type in ${ipv4:+A} ${ipv6:+AAAA}; do
    if [ "$type" = A ]; then address=$ipv4; else address=$ipv6; fi
    outcome=$(member outcome "$(printf '%s\n' "$objects" | grep -F "\"record_type\":\"$type\"")")
    case $status,$outcome in
    200,updated | 200,unchanged) line="$line, $type $address $outcome" ;;
    *) line="$line, no $type record" ;; # the host has the other type only
    esac
  done
  case $line in *updated* | *unchanged*) ;; *) end 3 "$server: HTTP $status without a word about $name" ;; esac
  report="$report$name ${line#, }$newline"
done
[ "$quiet" ] || printf %s "$report"
note() { # -C: a link or a file that somebody has put there is not written to
  rm -f -- "$cache.$$"
  (set -C && echo "homing.sh $(date +%s) $sent" >"$cache.$$") && mv -f -- "$cache.$$" "$cache"
}
[ -z "$cache" ] || note 2>/dev/null || warn "-c: $cache cannot be written, so that the next run sends it again"
exit "$code"
