# operations.rb HOST PORT USER PASSWORD DIRECTORY CA: Ruby's net-ftp.
require 'net/ftp'
host, port, user, password, directory, ca = ARGV
$stdout.sync = true
def report(name)
  value = yield
  puts "#{name}: ok #{value.is_a?(Array) ? value.sort.join(',') : value}"
rescue Net::FTPError, SystemCallError, OpenSSL::SSL::SSLError, EOFError => error
  puts "#{name}: failed #{error.class} #{error.message.strip.gsub("\n", ' | ')}"
end
ftp = Net::FTP.new(nil, ssl: { ca_file: ca }, private_data_connection: true, read_timeout: 30)
ftp.passive = true
ftp.connect(host, port.to_i)
report('login') { ftp.login(user, password) }
report('pwd') { ftp.pwd }
report('mkd') { ftp.mkdir('made') }
report('cwd') { ftp.chdir('made') }
report('cwd missing') { ftp.chdir('nosuch') }
File.binwrite("#{directory}/up", 'content')
report('stor') { ftp.putbinaryfile("#{directory}/up", 'file') }
{ 'stor into missing' => -> { ftp.putbinaryfile("#{directory}/up", 'nosuch/file') },
  'stor onto directory' => -> { ftp.putbinaryfile("#{directory}/up", '.') },
  'list missing' => -> { ftp.nlst('nosuch') },
  'long list missing' => -> { ftp.list('nosuch') },
  'retr missing' => -> { ftp.getbinaryfile('nosuch', "#{directory}/none") } }.each do |name, step|
  report(name) { step.call }
  report("pwd after #{name}") { ftp.pwd }
end
report('list') { ftp.nlst }
report('retr') { ftp.getbinaryfile('file', "#{directory}/down"); File.read("#{directory}/down") }
report('size') { ftp.size('file') }
report('size missing') { ftp.size('nosuch') }
report('mdtm') { ftp.mdtm('file').size }
report('rename') { ftp.rename('file', 'renamed') }
report('dele') { ftp.delete('renamed') }
report('dele missing') { ftp.delete('nosuch') }
report('cdup') { ftp.chdir('..') }
report('rmd') { ftp.rmdir('made') }
report('aborted download') do
  first = nil
  ftp.retrbinary('RETR big', 1000) do
    first = ftp.abort[0, 3]
    break
  end
  [first, ftp.send(:getmultiline)[0, 3]] # sorted: ProFTPD answers the other way round
end
report('pwd after aborted download') { ftp.pwd }
report('pwd at the end') { ftp.pwd }
report('quit') { ftp.quit }
