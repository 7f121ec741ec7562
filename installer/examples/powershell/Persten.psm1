# SPDX-License-Identifier: MIT
#
# Signs files through persten.exe from PowerShell 5.1 or later:
#
#     Import-Module .\Persten.psm1
#     Get-PerstenCertificate | Format-Table name, notAfter, id
#     New-PerstenSignature -Certificate ID -Path .\contract.pdf
#
# An error of Persten is a terminating error whose FullyQualifiedErrorId begins with the error's code, such as user_rejected.

Set-StrictMode -Version 3.0

function Get-PerstenProgram {
    foreach ($folder in $env:ProgramFiles, (Join-Path $env:LOCALAPPDATA 'Programs')) {
        $program = Join-Path $folder 'Persten\persten.exe'
        if (Test-Path -LiteralPath $program) { return $program }
    }
    (Get-Command persten -CommandType Application -ErrorAction Stop | Select-Object -First 1).Source
}

function Invoke-Persten {
    param([Parameter(Mandatory)][string[]]$Arguments)
    $info = New-Object System.Diagnostics.ProcessStartInfo
    $info.FileName = Get-PerstenProgram
    $info.Arguments = (@('--json') + $Arguments | ForEach-Object { '"' + ($_ -replace '(\\*)"', '$1$1\"' -replace '(\\+)$', '$1$1') + '"' }) -join ' '
    $info.UseShellExecute = $false
    $info.CreateNoWindow = $true
    $info.RedirectStandardOutput = $true
    $info.RedirectStandardError = $true
    $info.StandardOutputEncoding = [Text.Encoding]::UTF8
    $info.StandardErrorEncoding = [Text.Encoding]::UTF8
    $process = [System.Diagnostics.Process]::Start($info)
    $failure = $process.StandardError.ReadToEndAsync()
    $answer = $process.StandardOutput.ReadToEnd()
    $process.WaitForExit()
    if ($process.ExitCode -ne 0) {
        $lines = @($failure.Result -split "`n" | Where-Object { $_.StartsWith('{') })
        $said = if ($lines.Count) { ($lines[-1] | ConvertFrom-Json).error } else { [pscustomobject]@{ code = 'internal'; text = $failure.Result; next = '' } }
        $cause = New-Object System.Exception ("{0} {1}" -f $said.text, $said.next)
        throw (New-Object System.Management.Automation.ErrorRecord $cause, $said.code, 'NotSpecified', $null)
    }
    if ($answer) { $answer | ConvertFrom-Json }
}

function Get-PerstenCertificate {
    (Invoke-Persten -Arguments 'certs').certificates
}

function New-PerstenSignature {
    param(
        [Parameter(Mandatory)][string]$Certificate,
        [Parameter(Mandatory)][string]$Path,
        [string]$OutFile = "$Path.sig"
    )
    $file = (Resolve-Path -LiteralPath $Path).ProviderPath
    Invoke-Persten -Arguments 'sign', 'cms', '--cert', $Certificate, '--in', $file, '--out', $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($OutFile) | Out-Null
    Get-Item -LiteralPath $OutFile
}

Export-ModuleMember -Function Get-PerstenCertificate, New-PerstenSignature
