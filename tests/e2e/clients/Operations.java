// Operations HOST PORT USER PASSWORD DIRECTORY CA: Apache's commons-net. With RESUME its data connections find the control
// connection's session, by the way that is told everywhere: it opens the innards of Java's TLS.
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.net.Socket;
import java.util.Arrays;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import org.apache.commons.net.ftp.FTP;
import org.apache.commons.net.ftp.FTPSClient;

public class Operations {
    interface Step { Object run() throws Exception; }

    static class Resuming extends FTPSClient {
        Resuming() { super("TLS", false); }

        @Override protected void _prepareDataSocket_(Socket data) throws IOException {
            try {
                SSLSession session = ((SSLSocket) _socket_).getSession();
                Field cache = session.getSessionContext().getClass().getDeclaredField("sessionHostPortCache");
                cache.setAccessible(true);
                Object sessions = cache.get(session.getSessionContext());
                Method put = sessions.getClass().getDeclaredMethod("put", Object.class, Object.class);
                put.setAccessible(true);
                for (String host : new String[] {data.getInetAddress().getHostName(), data.getInetAddress().getHostAddress()})
                    put.invoke(sessions, (host + ":" + data.getPort()).toLowerCase(), session);
            } catch (ReflectiveOperationException error) {
                throw new IOException(error);
            }
        }
    }

    static final FTPSClient ftp = System.getenv("RESUME") == null ? new FTPSClient("TLS", false) : new Resuming();

    static void report(String name, Step step) {
        try {
            Object value = step.run();
            String said = ftp.getReplyString() == null ? "" : ftp.getReplyString().trim().replaceAll("\\s*\\n\\s*", " | ");
            boolean failed = value == null || Boolean.FALSE.equals(value);
            System.out.println(name + ": " + (failed ? "failed " + said : "ok " + value));
        } catch (Exception error) {
            System.out.println(name + ": failed " + error.getClass().getSimpleName() + " " + error.getMessage());
        }
    }

    static ByteArrayInputStream content() { return new ByteArrayInputStream("content".getBytes()); }

    static String names(String[] all) {
        if (all == null) return null;
        Arrays.sort(all);
        return String.join(",", all);
    }

    public static void main(String[] arguments) throws Exception {
        ftp.setDefaultTimeout(30000);
        ftp.connect(arguments[0], Integer.parseInt(arguments[1]));
        report("login", () -> ftp.login(arguments[2], arguments[3]));
        ftp.execPBSZ(0);
        ftp.execPROT("P");
        ftp.enterLocalPassiveMode();
        ftp.setFileType(FTP.BINARY_FILE_TYPE);
        report("pwd", () -> ftp.printWorkingDirectory());
        report("mkd", () -> ftp.makeDirectory("made"));
        report("cwd", () -> ftp.changeWorkingDirectory("made"));
        report("cwd missing", () -> ftp.changeWorkingDirectory("nosuch"));
        report("stor", () -> ftp.storeFile("file", content()));
        report("append", () -> ftp.appendFile("file", content()));
        report("stor into missing", () -> ftp.storeFile("nosuch/file", content()));
        report("pwd after stor into missing", () -> ftp.printWorkingDirectory());
        report("stor onto directory", () -> ftp.storeFile(".", content()));
        report("pwd after stor onto directory", () -> ftp.printWorkingDirectory());
        report("list missing", () -> names(ftp.listNames("nosuch")));
        report("pwd after list missing", () -> ftp.printWorkingDirectory());
        report("long list missing", () -> ftp.listFiles("nosuch").length);
        report("pwd after long list missing", () -> ftp.printWorkingDirectory());
        ByteArrayOutputStream down = new ByteArrayOutputStream();
        report("retr missing", () -> ftp.retrieveFile("nosuch", down));
        report("pwd after retr missing", () -> ftp.printWorkingDirectory());
        report("list", () -> names(ftp.listNames()));
        report("retr", () -> ftp.retrieveFile("file", down) ? down.toString() : null);
        report("size", () -> ftp.getSize("file"));
        report("size missing", () -> ftp.getSize("nosuch"));
        report("mdtm", () -> ftp.getModificationTime("file") != null);
        report("rename", () -> ftp.rename("file", "renamed"));
        report("dele", () -> ftp.deleteFile("renamed"));
        report("dele missing", () -> ftp.deleteFile("nosuch"));
        report("cdup", () -> ftp.changeToParentDirectory());
        report("rmd", () -> ftp.removeDirectory("made"));
        report("aborted download", () -> {
            InputStream data = ftp.retrieveFileStream("big");
            data.read(new byte[1000]);
            ftp.abort();
            int first = ftp.getReplyCode();
            data.close();
            ftp.completePendingCommand();
            int second = ftp.getReplyCode(); // ProFTPD answers the other way round
            return Math.min(first, second) + "," + Math.max(first, second);
        });
        report("pwd at the end", () -> ftp.printWorkingDirectory());
        report("quit", () -> ftp.logout());
    }
}
