# The whole system is in dist/image, laid out by e2e/image.sh: static binaries,
# CA roots, time zones and a writable /tmp.
FROM scratch
COPY . /
ENV PATH=/bin \
    REALM_HOME=/var/lib/realm \
    ZONEINFO=/usr/share/zoneinfo.zip \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
EXPOSE 4001/tcp 4001/udp
STOPSIGNAL SIGTERM
ENTRYPOINT ["/bin/realm"]
CMD ["up"]
