<?php
// operations.php HOST PORT USER PASSWORD DIRECTORY: PHP's ftp functions. One line an operation, see test_client_libraries.py.
[, $host, $port, $user, $password, $directory] = $argv;
error_reporting(0);
function report($name, $value) {
    $why = error_get_last();
    error_clear_last();
    $text = $value === false || $value === -1 ? 'failed ' . preg_replace('/^ftp_\w+\(\): /', '', $why['message'] ?? '')
        : 'ok ' . (is_array($value) ? implode(',', $value) : (is_bool($value) ? '' : $value));
    echo $name, ': ', trim($text), "\n";
}
$ftp = ftp_ssl_connect($host, (int)$port, 30);
report('login', ftp_login($ftp, $user, $password));
ftp_pasv($ftp, true);
report('pwd', ftp_pwd($ftp));
report('mkd', ftp_mkdir($ftp, 'made'));
report('cwd', ftp_chdir($ftp, 'made'));
report('cwd missing', ftp_chdir($ftp, 'nosuch'));
file_put_contents("$directory/up", 'content');
report('stor', ftp_put($ftp, 'file', "$directory/up", FTP_BINARY));
report('append', ftp_append($ftp, 'file', "$directory/up", FTP_BINARY));
report('stor into missing', ftp_put($ftp, 'nosuch/file', "$directory/up", FTP_BINARY));
report('pwd after stor into missing', ftp_pwd($ftp));
report('stor onto directory', ftp_put($ftp, '.', "$directory/up", FTP_BINARY));
report('pwd after stor onto directory', ftp_pwd($ftp));
report('list', ftp_nlist($ftp, '.'));
report('list missing', count(ftp_rawlist($ftp, 'nosuch') ?: []));
report('pwd after list missing', ftp_pwd($ftp));
report('retr', ftp_get($ftp, "$directory/down", 'file', FTP_BINARY) ? file_get_contents("$directory/down") : false);
report('retr missing', ftp_get($ftp, "$directory/none", 'nosuch', FTP_BINARY));
report('pwd after retr missing', ftp_pwd($ftp));
report('size', ftp_size($ftp, 'file'));
report('size missing', ftp_size($ftp, 'nosuch'));
report('mdtm', ftp_mdtm($ftp, 'file') > 0);
report('rename', ftp_rename($ftp, 'file', 'renamed'));
report('dele', ftp_delete($ftp, 'renamed'));
report('dele missing', ftp_delete($ftp, 'nosuch'));
report('cdup', ftp_cdup($ftp));
report('rmd', ftp_rmdir($ftp, 'made'));
report('pwd at the end', ftp_pwd($ftp));
report('quit', ftp_close($ftp));
