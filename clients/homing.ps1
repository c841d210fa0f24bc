#requires -Version 5.1
<#
.SYNOPSIS
Tells a Homing server which addresses this machine has, by the signed request.

.DESCRIPTION
For Windows PowerShell 5.1 and PowerShell 7; nothing has to be installed. What this machine's addresses are is asked of
the server, over IPv4 and over IPv6, by the curl.exe that Windows has since version 1803: .NET cannot be told alike in
both editions which family to use. -Address names them instead, and then no curl.exe is needed.

Exit codes: 0 done or unchanged, 1 refused, 2 wrong usage, 3 temporary, try again.

.PARAMETER Server
The server's URL, such as https://ddns.home.example.

.PARAMETER Name
The name to set. Several that share a secret, with commas, are set by one request, all or none.

.PARAMETER SecretFile
A file whose first line is the secret, or what ConvertFrom-SecureString makes of it, which only the same user on the
same machine can read:
Read-Host -AsSecureString | ConvertFrom-SecureString | Set-Content C:\homing\cam.secret

.PARAMETER Address
Set these, one of each family, instead of asking the server what it sees.

.PARAMETER ApiKeyFile
A file like SecretFile with the API key, where the server demands one.

.PARAMETER AllowInternal
Take an address from the server that the Internet cannot reach, too.

.PARAMETER TimeoutSeconds
How long one request may take.

.PARAMETER Quiet
Print failures only.

.PARAMETER DryRun
Say what would be sent.

.EXAMPLE
.\homing.ps1 -Server https://ddns.home.example -Name cam.home.example -SecretFile C:\homing\cam.secret
#>
[CmdletBinding()]
param(
    [string] $Server,
    [string[]] $Name = @(),
    [string] $SecretFile,
    [string[]] $Address = @(),
    [string] $ApiKeyFile,
    [switch] $AllowInternal,
    [int] $TimeoutSeconds = 10,
    [switch] $Quiet,
    [switch] $DryRun
)
Set-StrictMode -Version 1.0
$ErrorActionPreference = 'Stop'

function Stop-Update([int] $Code, [string] $Text) {
    [Console]::Error.WriteLine("homing.ps1: $Text")
    exit $Code
}

function Read-Secret([string] $File, [string] $Parameter) {
    if (-not (Test-Path -LiteralPath $File -PathType Leaf)) { Stop-Update 2 "${Parameter}: ${File}: no such file" }
    $line = "$(Get-Content -LiteralPath $File -TotalCount 1 -Encoding UTF8)".Trim()
    if ($line -eq '') { Stop-Update 2 "${Parameter}: $File is empty" }
    # What the data protection of Windows (DPAPI) makes begins like this; a secret that the server made does not.
    if ($line -match '^01000000d08c9ddf') {
        $credential = [Management.Automation.PSCredential]::new('homing', (ConvertTo-SecureString -String $line))
        return $credential.GetNetworkCredential().Password
    }
    return $line
}

function ConvertTo-Address([string] $Text) {
    # Without this look at the text, .NET takes 7 for 0.0.0.7.
    $parsed = $null
    if ($Text -notmatch '^([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)\z') { return $null }
    if (-not [Net.IPAddress]::TryParse($Text, [ref] $parsed)) { return $null }
    return $parsed
}

function Test-Internal([Net.IPAddress] $Found) {
    # The usual suspects; the server has the whole list, IANA's.
    $private = '^(0|10|127|169\.254|172\.(1[6-9]|2[0-9]|3[01])|192\.168|192\.0\.[02]|198\.1[89]|198\.51\.100' +
        '|203\.0\.113|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])|22[4-9]|2[345][0-9])\.'
    $text = $Found.ToString()
    if ($text -match ':') { return $text -notmatch '^[23][0-9a-f]{3}:' -or $text -match '^2001:db8:' }
    return $text -match $private
}

function Get-SeenAddress([int] $Family) {
    $curl = Get-Command -Name 'curl.exe', 'curl' -CommandType Application -ErrorAction SilentlyContinue |
        Select-Object -First 1
    if (-not $curl) { Stop-Update 2 'there is no curl.exe here to ask for the address: name it with -Address' }
    $options = @("-$Family", '--silent', '--globoff', '--noproxy', '*', '--connect-timeout', '5')
    $options += @('--max-time', "$TimeoutSeconds", '--max-filesize', '1000', '--write-out', '\n%{http_code}')
    # The API key goes through the pipe: others can see a command line.
    $config = 'header = "x-api-key: {0}"' -f $ApiKey.Replace('\', '\\').Replace('"', '\"')
    if ($ApiKey -eq '') { $config = '# nothing to add' }
    $lines = @($config | & $curl.Source -q @options --config - "$Server/ip")
    if (@(6, 7, 28) -contains $LASTEXITCODE) { return $null } # this machine does not have that family
    $found = ConvertTo-Address "$($lines[0])"
    if ($LASTEXITCODE -ne 0 -or "$($lines[-1])" -ne '200' -or -not $found) {
        $script:Trouble = "IPv${Family}: $Server/ip told no address: a captive portal, or not the server's URL"
    } elseif (($found.ToString() -match ':') -ne ($Family -eq 6)) {
        $script:Trouble = "IPv${Family}: $Server/ip told $found, which is of the other family"
    } elseif ((Test-Internal $found) -and -not $AllowInternal) {
        $script:Trouble = "IPv${Family}: $Server/ip told $found, which the Internet cannot reach; see -AllowInternal"
    } else {
        return $found
    }
    [Console]::Error.WriteLine("homing.ps1: $script:Trouble")
    return $null
}

function Get-Signature([long] $Time, [string] $Body) {
    $hmac = [Security.Cryptography.HMACSHA256]::new([Text.Encoding]::UTF8.GetBytes($Secret))
    $digest = $hmac.ComputeHash([Text.Encoding]::UTF8.GetBytes(('{0}.{1}' -f $Time, $Body)))
    return [BitConverter]::ToString($digest).Replace('-', '').ToLowerInvariant()
}

function Send-Update([long] $Time, [string] $Body) {
    $request = [Net.Http.HttpRequestMessage]::new([Net.Http.HttpMethod]::Post, "$Server/v1/update")
    $request.Content = [Net.Http.StringContent]::new($Body, [Text.Encoding]::UTF8, 'application/json')
    $request.Headers.ExpectContinue = $false
    $signature = 't={0},v1={1}' -f $Time, (Get-Signature $Time $Body)
    [void] $request.Headers.TryAddWithoutValidation('Homing-Signature', $signature)
    if ($ApiKey -ne '') { [void] $request.Headers.TryAddWithoutValidation('x-api-key', $ApiKey) }
    $text = ''
    try {
        $response = $Client.SendAsync($request).GetAwaiter().GetResult()
        $text = $response.Content.ReadAsStringAsync().GetAwaiter().GetResult()
    } catch {
        Stop-Update 3 "${Server}: $($_.Exception.GetBaseException().Message)"
    }
    $answer = $null
    try { $answer = ConvertFrom-Json -InputObject $text } catch { $answer = $null } # a web page, or nothing
    return [pscustomobject] @{ Status = [int] $response.StatusCode; Answer = $answer }
}

# --- what is asked for; with -File, PowerShell hands lists on as one text with commas

$Server = $Server.TrimEnd('/')
if ($Server -notmatch '^https?://[^\s@?#]+\z') { Stop-Update 2 '-Server: expected a URL, https://ddns.home.example' }
if ($TimeoutSeconds -lt 1) { Stop-Update 2 '-TimeoutSeconds: expected at least 1' }
$names = @() # as the server writes them: in lower case, with the final dot
foreach ($one in @($Name -split ',' | Where-Object { $_.Trim() })) {
    $one = $one.Trim().ToLowerInvariant().TrimEnd('.') + '.'
    $names += $one
    if ($one -notmatch '^([a-z0-9_-]+\.)+\z') { Stop-Update 2 "-Name: $one is no host's name" }
}
if ($names.Count -eq 0) { Stop-Update 2 '-Name: which name is to be set?' }
if (-not $SecretFile) { Stop-Update 2 '-SecretFile: which file holds the secret?' }
$Secret = Read-Secret $SecretFile '-SecretFile'
$ApiKey = ''
if ($ApiKeyFile) { $ApiKey = Read-Secret $ApiKeyFile '-ApiKeyFile' }

# --- which addresses

$Trouble = ''
$addresses = @()
foreach ($text in @($Address -split ',' | Where-Object { $_.Trim() })) {
    $found = ConvertTo-Address $text.Trim()
    if (-not $found) { Stop-Update 2 "-Address: $text is no address" }
    $addresses += $found
}
if ($addresses.Count -eq 0) { $addresses = @(4, 6 | ForEach-Object { Get-SeenAddress $_ } | Where-Object { $_ }) }
if ($addresses.Count -eq 0) { Stop-Update 3 "no address to send: $Server told none over IPv4 or IPv6" }
if ($DryRun) {
    foreach ($one in $names) { Write-Output "$one would be set to $addresses" }
    if ($Trouble) { exit 3 }
    exit 0
}

# --- the request; Windows PowerShell offers old TLS only, unless told otherwise

Add-Type -AssemblyName System.Net.Http
$offered = [Net.ServicePointManager]::SecurityProtocol
[Net.ServicePointManager]::SecurityProtocol = $offered -bor [Net.SecurityProtocolType]::Tls12
$handler = [Net.Http.HttpClientHandler]::new()
$handler.AllowAutoRedirect = $false
$handler.UseProxy = $false
$Client = [Net.Http.HttpClient]::new($handler)
$Client.Timeout = [TimeSpan]::FromSeconds($TimeoutSeconds)
$Client.MaxResponseContentBufferSize = 65536

$list = @($addresses | ForEach-Object { '"{0}"' -f $_ }) -join ', '
$updates = @($names | ForEach-Object { '{{"hostname": "{0}", "addresses": [{1}]}}' -f $_, $list }) -join ', '
$body = '{{"as": "{0}", "updates": [{1}]}}' -f $names[0], $updates

$epoch = [DateTime]::new(1970, 1, 1, 0, 0, 0, [DateTimeKind]::Utc)
$now = [long] ([DateTime]::UtcNow - $epoch).TotalMilliseconds
$reply = Send-Update $now $body
if ($reply.Status -eq 409) { # our clock is wrong, or the host was changed after it: the server tells what it wants
    $theirs = [long] ($reply.Answer.server_time -as [long])
    $newest = [long] ($reply.Answer.signed_at -as [long])
    # Whoever makes us sign for a time of their choice can send that when the time has come. TLS says who it is.
    $believed = $Server -match '^(https:|http://(127\.0\.0\.1|localhost|\[::1\])([:/]|\z))'
    if ([Math]::Abs($theirs - $now) -gt 300000 -and -not $believed) {
        Stop-Update 3 'the server says that this clock is wrong; without TLS nobody knows who says it'
    }
    $reply = Send-Update ([Math]::Max($theirs, $newest + 1)) $body
}

$failure = "$($reply.Answer.error)"
if ($reply.Status -eq 401 -and $failure) {
    Stop-Update 1 "refused: the secret is not that of $names, or there is no such host"
}
if (@(400, 403) -contains $reply.Status -and $failure) { Stop-Update 1 "refused: $failure $($reply.Answer.detail)" }
if ($reply.Status -eq 403 -and $reply.Answer.message -eq 'Forbidden') {
    Stop-Update 1 'refused: the API key is missing or wrong (-ApiKeyFile)'
}
foreach ($one in $names) {
    $told = @($reply.Answer.outcomes |
        Where-Object { $_.hostname -eq $one -and @('updated', 'unchanged') -contains $_.outcome })
    if ($reply.Status -ne 200 -or $failure -or $told.Count -eq 0) {
        Stop-Update 3 "${Server}: HTTP $($reply.Status) without a word about $one $failure"
    }
    if (-not $Quiet) {
        $words = @($told | ForEach-Object { "$($_.record_type) $($_.address) $($_.outcome)" }) -join ', '
        Write-Output "$one $words"
    }
}
if ($Trouble) { exit 3 }
exit 0
