# shellcheck shell=dash
# update_homing.sh: the signed request for ddns-scripts 2.8, by way of homing.sh, which stands in the PATH.
#
# ddns-scripts does not run this file but reads it inside of a function, for the service homing-signed. It gives us
# __IP (the address to set), the options of the section by their names, DATFILE and ERRFILE for what a program prints,
# and write_log, which ends everything from level 10 on. 0 is success; at anything else it tries again when it looks
# at the address next. param_opt is the server, with its port if that is not 443; a scheme may stand before it.
# shellcheck disable=SC2168  # within ddns-scripts' function
local __URL __CA __CODE

# shellcheck disable=SC2154  # options of the section
case $param_opt in
"") write_log 14 "Service section not configured correctly! Missing the server as 'param_opt'" ;;
http://* | https://*) __URL=$param_opt ;;
*) __URL=https://$param_opt ;;
esac
[ -n "$domain" ] || write_log 14 "Service section not configured correctly! Missing 'domain'"
[ -n "$password" ] || write_log 14 "Service section not configured correctly! Missing the host's secret as 'password'"
command -v homing.sh >/dev/null || write_log 14 "homing.sh is not there: copy it to /usr/bin, and make it executable"

# shellcheck disable=SC2154  # set by ddns-scripts
[ -f "$cacert" ] && __CA=$cacert # IGNORE is not heard: without TLS that is checked, a stranger can set our clock
# The secret goes through a pipe, so that no command line shows it.
CURL_CA_BUNDLE=$__CA homing.sh -u "$__URL" -n "$domain" -i "$__IP" -s - >"$DATFILE" 2>"$ERRFILE" <<EOF
$password
EOF
__CODE=$?
if [ "$__CODE" -eq 0 ]; then
	write_log 7 "Homing answered: $(cat "$DATFILE")"
	return 0
fi
write_log 3 "$(cat "$ERRFILE")"
return "$__CODE"
