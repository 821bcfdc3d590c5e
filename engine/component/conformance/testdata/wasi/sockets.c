// wasi:sockets: nothing is allowed, so nobody ever has a socket. What could only be called with one traps, like
// what takes a terminal.
#include "guest.h"

#define TCP(name) IMPORT("wasi:sockets/tcp", "[method]tcp-socket." name)
#define UDP(name) IMPORT("wasi:sockets/udp", "[method]udp-socket." name)
#define IN(name) IMPORT("wasi:sockets/udp", "[method]incoming-datagram-stream." name)
#define OUT(name) IMPORT("wasi:sockets/udp", "[method]outgoing-datagram-stream." name)
#define LOOKUP "wasi:sockets/ip-name-lookup"
#define ADDRESS int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t
#define ANY 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0

enum { ACCESS_DENIED = 1 };

IMPORT("wasi:sockets/instance-network", "instance-network") handle instance_network(void);
IMPORT("wasi:sockets/network", "[resource-drop]network") void network_drop(handle);
IMPORT("wasi:sockets/tcp-create-socket", "create-tcp-socket") void create_tcp(int32_t, void *);
IMPORT("wasi:sockets/udp-create-socket", "create-udp-socket") void create_udp(int32_t, void *);
IMPORT(LOOKUP, "resolve-addresses") void resolve(handle, const char *, size_t, void *);
TCP("start-bind") void tcp_socket_start_bind(handle, handle, ADDRESS, void *);
TCP("start-connect") void tcp_socket_start_connect(handle, handle, ADDRESS, void *);
TCP("finish-bind") void tcp_socket_finish_bind(handle, void *);
TCP("finish-connect") void tcp_socket_finish_connect(handle, void *);
TCP("start-listen") void tcp_socket_start_listen(handle, void *);
TCP("finish-listen") void tcp_socket_finish_listen(handle, void *);
TCP("accept") void tcp_socket_accept(handle, void *);
TCP("local-address") void tcp_socket_local_address(handle, void *);
TCP("remote-address") void tcp_socket_remote_address(handle, void *);
TCP("keep-alive-enabled") void tcp_socket_keep_alive_enabled(handle, void *);
TCP("keep-alive-idle-time") void tcp_socket_keep_alive_idle_time(handle, void *);
TCP("keep-alive-interval") void tcp_socket_keep_alive_interval(handle, void *);
TCP("keep-alive-count") void tcp_socket_keep_alive_count(handle, void *);
TCP("hop-limit") void tcp_socket_hop_limit(handle, void *);
TCP("receive-buffer-size") void tcp_socket_receive_buffer_size(handle, void *);
TCP("send-buffer-size") void tcp_socket_send_buffer_size(handle, void *);
TCP("is-listening") handle tcp_socket_is_listening(handle);
TCP("address-family") handle tcp_socket_address_family(handle);
TCP("subscribe") handle tcp_socket_subscribe(handle);
TCP("set-listen-backlog-size") void tcp_socket_set_listen_backlog_size(handle, uint64_t, void *);
TCP("set-keep-alive-idle-time") void tcp_socket_set_keep_alive_idle_time(handle, uint64_t, void *);
TCP("set-keep-alive-interval") void tcp_socket_set_keep_alive_interval(handle, uint64_t, void *);
TCP("set-receive-buffer-size") void tcp_socket_set_receive_buffer_size(handle, uint64_t, void *);
TCP("set-send-buffer-size") void tcp_socket_set_send_buffer_size(handle, uint64_t, void *);
TCP("set-keep-alive-enabled") void tcp_socket_set_keep_alive_enabled(handle, int32_t, void *);
TCP("set-keep-alive-count") void tcp_socket_set_keep_alive_count(handle, int32_t, void *);
TCP("set-hop-limit") void tcp_socket_set_hop_limit(handle, int32_t, void *);
TCP("shutdown") void tcp_socket_shutdown(handle, int32_t, void *);
UDP("start-bind") void udp_socket_start_bind(handle, handle, ADDRESS, void *);
UDP("stream") void udp_socket_stream(handle, int32_t, ADDRESS, void *);
UDP("finish-bind") void udp_socket_finish_bind(handle, void *);
UDP("local-address") void udp_socket_local_address(handle, void *);
UDP("remote-address") void udp_socket_remote_address(handle, void *);
UDP("unicast-hop-limit") void udp_socket_unicast_hop_limit(handle, void *);
UDP("receive-buffer-size") void udp_socket_receive_buffer_size(handle, void *);
UDP("send-buffer-size") void udp_socket_send_buffer_size(handle, void *);
UDP("address-family") handle udp_socket_address_family(handle);
UDP("subscribe") handle udp_socket_subscribe(handle);
UDP("set-unicast-hop-limit") void udp_socket_set_unicast_hop_limit(handle, int32_t, void *);
UDP("set-receive-buffer-size") void udp_socket_set_receive_buffer_size(handle, uint64_t, void *);
UDP("set-send-buffer-size") void udp_socket_set_send_buffer_size(handle, uint64_t, void *);
IN("receive") void incoming_datagram_stream_receive(handle, uint64_t, void *);
IN("subscribe") handle incoming_datagram_stream_subscribe(handle);
OUT("check-send") void outgoing_datagram_stream_check_send(handle, void *);
OUT("send") void outgoing_datagram_stream_send(handle, const void *, size_t, void *);
OUT("subscribe") handle outgoing_datagram_stream_subscribe(handle);
IMPORT(LOOKUP, "[method]resolve-address-stream.resolve-next-address") void resolve_next(handle, void *);
IMPORT(LOOKUP, "[method]resolve-address-stream.subscribe") handle resolve_subscribe(handle);
IMPORT("wasi:sockets/tcp", "[resource-drop]tcp-socket") void tcp_socket_drop(handle);
IMPORT("wasi:sockets/udp", "[resource-drop]udp-socket") void udp_socket_drop(handle);
IMPORT("wasi:sockets/udp", "[resource-drop]incoming-datagram-stream") void incoming_datagram_stream_drop(handle);
IMPORT("wasi:sockets/udp", "[resource-drop]outgoing-datagram-stream") void outgoing_datagram_stream_drop(handle);
IMPORT("wasi:sockets/ip-name-lookup", "[resource-drop]resolve-address-stream") void resolve_address_stream_drop(handle);
IMPORT("wasi:cli/terminal-input", "[resource-drop]terminal-input") void terminal_input_drop(handle);
IMPORT("wasi:cli/terminal-output", "[resource-drop]terminal-output") void terminal_output_drop(handle);

void check_sockets(void) {
	handle network = instance_network();
	HOLDS("wasi:sockets/instance-network instance-network", network > 0);
	create_tcp(0, &out);
	HOLDS("wasi:sockets/tcp-create-socket create-tcp-socket", out.b[0] == 1 && out.b[4] == ACCESS_DENIED);
	create_udp(1, &out);
	HOLDS("wasi:sockets/udp-create-socket create-udp-socket", out.b[0] == 1 && out.b[4] == ACCESS_DENIED);
	resolve(network, TEXT("localhost"), &out);
	HOLDS("wasi:sockets/ip-name-lookup resolve-addresses", out.b[0] == 1 && out.b[4] == ACCESS_DENIED);
	network_drop(network);
	HOLDS("wasi:sockets/network network", instance_network() == network);
}

// Every case traps: none goes on to the next.
int absent(uint32_t n) {
	switch (n) {
	case 1:
		CALLS("wasi:sockets/tcp [method]tcp-socket.start-bind");
		tcp_socket_start_bind(NOBODY, NOBODY, ANY, &out);
		return 1;
	case 2:
		CALLS("wasi:sockets/tcp [method]tcp-socket.start-connect");
		tcp_socket_start_connect(NOBODY, NOBODY, ANY, &out);
		return 1;
	case 3:
		CALLS("wasi:sockets/tcp [method]tcp-socket.finish-bind");
		tcp_socket_finish_bind(NOBODY, &out);
		return 1;
	case 4:
		CALLS("wasi:sockets/tcp [method]tcp-socket.finish-connect");
		tcp_socket_finish_connect(NOBODY, &out);
		return 1;
	case 5:
		CALLS("wasi:sockets/tcp [method]tcp-socket.start-listen");
		tcp_socket_start_listen(NOBODY, &out);
		return 1;
	case 6:
		CALLS("wasi:sockets/tcp [method]tcp-socket.finish-listen");
		tcp_socket_finish_listen(NOBODY, &out);
		return 1;
	case 7:
		CALLS("wasi:sockets/tcp [method]tcp-socket.accept");
		tcp_socket_accept(NOBODY, &out);
		return 1;
	case 8:
		CALLS("wasi:sockets/tcp [method]tcp-socket.local-address");
		tcp_socket_local_address(NOBODY, &out);
		return 1;
	case 9:
		CALLS("wasi:sockets/tcp [method]tcp-socket.remote-address");
		tcp_socket_remote_address(NOBODY, &out);
		return 1;
	case 10:
		CALLS("wasi:sockets/tcp [method]tcp-socket.keep-alive-enabled");
		tcp_socket_keep_alive_enabled(NOBODY, &out);
		return 1;
	case 11:
		CALLS("wasi:sockets/tcp [method]tcp-socket.keep-alive-idle-time");
		tcp_socket_keep_alive_idle_time(NOBODY, &out);
		return 1;
	case 12:
		CALLS("wasi:sockets/tcp [method]tcp-socket.keep-alive-interval");
		tcp_socket_keep_alive_interval(NOBODY, &out);
		return 1;
	case 13:
		CALLS("wasi:sockets/tcp [method]tcp-socket.keep-alive-count");
		tcp_socket_keep_alive_count(NOBODY, &out);
		return 1;
	case 14:
		CALLS("wasi:sockets/tcp [method]tcp-socket.hop-limit");
		tcp_socket_hop_limit(NOBODY, &out);
		return 1;
	case 15:
		CALLS("wasi:sockets/tcp [method]tcp-socket.receive-buffer-size");
		tcp_socket_receive_buffer_size(NOBODY, &out);
		return 1;
	case 16:
		CALLS("wasi:sockets/tcp [method]tcp-socket.send-buffer-size");
		tcp_socket_send_buffer_size(NOBODY, &out);
		return 1;
	case 17:
		CALLS("wasi:sockets/tcp [method]tcp-socket.is-listening");
		tcp_socket_is_listening(NOBODY);
		return 1;
	case 18:
		CALLS("wasi:sockets/tcp [method]tcp-socket.address-family");
		tcp_socket_address_family(NOBODY);
		return 1;
	case 19:
		CALLS("wasi:sockets/tcp [method]tcp-socket.subscribe");
		tcp_socket_subscribe(NOBODY);
		return 1;
	case 20:
		CALLS("wasi:sockets/tcp [method]tcp-socket.set-listen-backlog-size");
		tcp_socket_set_listen_backlog_size(NOBODY, 1, &out);
		return 1;
	case 21:
		CALLS("wasi:sockets/tcp [method]tcp-socket.set-keep-alive-idle-time");
		tcp_socket_set_keep_alive_idle_time(NOBODY, 1, &out);
		return 1;
	case 22:
		CALLS("wasi:sockets/tcp [method]tcp-socket.set-keep-alive-interval");
		tcp_socket_set_keep_alive_interval(NOBODY, 1, &out);
		return 1;
	case 23:
		CALLS("wasi:sockets/tcp [method]tcp-socket.set-receive-buffer-size");
		tcp_socket_set_receive_buffer_size(NOBODY, 1, &out);
		return 1;
	case 24:
		CALLS("wasi:sockets/tcp [method]tcp-socket.set-send-buffer-size");
		tcp_socket_set_send_buffer_size(NOBODY, 1, &out);
		return 1;
	case 25:
		CALLS("wasi:sockets/tcp [method]tcp-socket.set-keep-alive-enabled");
		tcp_socket_set_keep_alive_enabled(NOBODY, 1, &out);
		return 1;
	case 26:
		CALLS("wasi:sockets/tcp [method]tcp-socket.set-keep-alive-count");
		tcp_socket_set_keep_alive_count(NOBODY, 1, &out);
		return 1;
	case 27:
		CALLS("wasi:sockets/tcp [method]tcp-socket.set-hop-limit");
		tcp_socket_set_hop_limit(NOBODY, 1, &out);
		return 1;
	case 28:
		CALLS("wasi:sockets/tcp [method]tcp-socket.shutdown");
		tcp_socket_shutdown(NOBODY, 1, &out);
		return 1;
	case 29:
		CALLS("wasi:sockets/udp [method]udp-socket.start-bind");
		udp_socket_start_bind(NOBODY, NOBODY, ANY, &out);
		return 1;
	case 30:
		CALLS("wasi:sockets/udp [method]udp-socket.stream");
		udp_socket_stream(NOBODY, 0, ANY, &out);
		return 1;
	case 31:
		CALLS("wasi:sockets/udp [method]udp-socket.finish-bind");
		udp_socket_finish_bind(NOBODY, &out);
		return 1;
	case 32:
		CALLS("wasi:sockets/udp [method]udp-socket.local-address");
		udp_socket_local_address(NOBODY, &out);
		return 1;
	case 33:
		CALLS("wasi:sockets/udp [method]udp-socket.remote-address");
		udp_socket_remote_address(NOBODY, &out);
		return 1;
	case 34:
		CALLS("wasi:sockets/udp [method]udp-socket.unicast-hop-limit");
		udp_socket_unicast_hop_limit(NOBODY, &out);
		return 1;
	case 35:
		CALLS("wasi:sockets/udp [method]udp-socket.receive-buffer-size");
		udp_socket_receive_buffer_size(NOBODY, &out);
		return 1;
	case 36:
		CALLS("wasi:sockets/udp [method]udp-socket.send-buffer-size");
		udp_socket_send_buffer_size(NOBODY, &out);
		return 1;
	case 37:
		CALLS("wasi:sockets/udp [method]udp-socket.address-family");
		udp_socket_address_family(NOBODY);
		return 1;
	case 38:
		CALLS("wasi:sockets/udp [method]udp-socket.subscribe");
		udp_socket_subscribe(NOBODY);
		return 1;
	case 39:
		CALLS("wasi:sockets/udp [method]udp-socket.set-unicast-hop-limit");
		udp_socket_set_unicast_hop_limit(NOBODY, 1, &out);
		return 1;
	case 40:
		CALLS("wasi:sockets/udp [method]udp-socket.set-receive-buffer-size");
		udp_socket_set_receive_buffer_size(NOBODY, 1, &out);
		return 1;
	case 41:
		CALLS("wasi:sockets/udp [method]udp-socket.set-send-buffer-size");
		udp_socket_set_send_buffer_size(NOBODY, 1, &out);
		return 1;
	case 42:
		CALLS("wasi:sockets/udp [method]incoming-datagram-stream.receive");
		incoming_datagram_stream_receive(NOBODY, 1, &out);
		return 1;
	case 43:
		CALLS("wasi:sockets/udp [method]incoming-datagram-stream.subscribe");
		incoming_datagram_stream_subscribe(NOBODY);
		return 1;
	case 44:
		CALLS("wasi:sockets/udp [method]outgoing-datagram-stream.check-send");
		outgoing_datagram_stream_check_send(NOBODY, &out);
		return 1;
	case 45:
		CALLS("wasi:sockets/udp [method]outgoing-datagram-stream.send");
		outgoing_datagram_stream_send(NOBODY, 0, 0, &out);
		return 1;
	case 46:
		CALLS("wasi:sockets/udp [method]outgoing-datagram-stream.subscribe");
		outgoing_datagram_stream_subscribe(NOBODY);
		return 1;
	case 47:
		CALLS("wasi:sockets/ip-name-lookup [method]resolve-address-stream.resolve-next-address");
		resolve_next(NOBODY, &out);
		return 1;
	case 48:
		CALLS("wasi:sockets/ip-name-lookup [method]resolve-address-stream.subscribe");
		resolve_subscribe(NOBODY);
		return 1;
	case 49:
		CALLS("wasi:sockets/tcp tcp-socket");
		tcp_socket_drop(NOBODY);
		return 1;
	case 50:
		CALLS("wasi:sockets/udp udp-socket");
		udp_socket_drop(NOBODY);
		return 1;
	case 51:
		CALLS("wasi:sockets/udp incoming-datagram-stream");
		incoming_datagram_stream_drop(NOBODY);
		return 1;
	case 52:
		CALLS("wasi:sockets/udp outgoing-datagram-stream");
		outgoing_datagram_stream_drop(NOBODY);
		return 1;
	case 53:
		CALLS("wasi:sockets/ip-name-lookup resolve-address-stream");
		resolve_address_stream_drop(NOBODY);
		return 1;
	case 54:
		CALLS("wasi:cli/terminal-input terminal-input");
		terminal_input_drop(NOBODY);
		return 1;
	case 55:
		CALLS("wasi:cli/terminal-output terminal-output");
		terminal_output_drop(NOBODY);
		return 1;
	}
	return 0;
}
