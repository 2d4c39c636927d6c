// mirror.js HOST PORT USER PASSWORD LOCAL REMOTE BACK: uploads the tree LOCAL to REMOTE and downloads it again to BACK.
"use strict"

const { Client } = require("basic-ftp")

async function mirror([host, port, user, password, local, remote, back]) {
    const client = new Client(60000)
    try {
        await client.access({ host, port: Number(port), user, password, secure: true, secureOptions: { servername: "localhost" } })
        await client.uploadFromDir(local, remote)
        await client.cd("/")
        await client.downloadToDir(back, remote)
    } finally {
        client.close()
    }
}

mirror(process.argv.slice(2)).catch(error => {
    console.error(error)
    process.exitCode = 1
})
