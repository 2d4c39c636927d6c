# operations.pl HOST PORT USER PASSWORD DIRECTORY CA: Perl's Net::FTP over IO::Socket::SSL. (Its abort() writes urgent
# data in clear into the TLS connection, which ends the session at any server.)
use strict; use warnings; use Net::FTP;
my ($host, $port, $user, $password, $directory, $ca) = @ARGV;
$| = 1;
my $ftp = Net::FTP->new($host, Port => $port, Timeout => 30, Passive => $ENV{FTP_PASSIVE} // 1, SSL_ca_file => $ca) or die "connect: $@";
sub report {
    my ($name, $ok, $value) = @_;
    my $said = $ftp->message // ''; $said =~ s/\s+$//; $said =~ s/\s*\n\s*/ | /g;
    print "$name: ", $ok ? "ok " . ($value // '') : "failed " . $ftp->code . " $said", "\n";
}
$ftp->starttls or die "starttls";
report('login', $ftp->login($user, $password));
$ftp->prot('P'); $ftp->binary;
sub pwd { my $at = $ftp->pwd; report($_[0], defined $at, $at) }
pwd('pwd');
my $made = $ftp->mkdir('made'); report('mkd', defined $made, $made);
report('cwd', $ftp->cwd('made'));
report('cwd missing', $ftp->cwd('nosuch'));
open(my $up, '>', "$directory/up"); print $up 'content'; close $up;
report('stor', scalar $ftp->put("$directory/up", 'file'));
report('append', scalar $ftp->append("$directory/up", 'file'));
report('stor into missing', scalar $ftp->put("$directory/up", 'nosuch/file'));
pwd('pwd after stor into missing');
report('stor onto directory', scalar $ftp->put("$directory/up", '.'));
pwd('pwd after stor onto directory');
my @list = $ftp->ls; report('list', scalar @list, join ',', sort @list);
my $missing = $ftp->dir('nosuch'); report('list missing', 1, $ftp->code);
pwd('pwd after list missing');
report('retr', scalar $ftp->get('file', "$directory/down"));
report('retr missing', scalar $ftp->get('nosuch', "$directory/none"));
pwd('pwd after retr missing');
report('size', defined $ftp->size('file'), $ftp->size('file'));
report('size missing', defined $ftp->size('nosuch'));
report('mdtm', defined $ftp->mdtm('file'));
report('rename', $ftp->rename('file', 'renamed'));
report('dele', $ftp->delete('renamed'));
report('dele missing', $ftp->delete('nosuch'));
report('cdup', $ftp->cdup);
report('rmd', $ftp->rmdir('made'));
pwd('pwd at the end');
report('quit', $ftp->quit);
