;; Speaks of streams and futures, which belong to WASI 0.3.
(component
  (import "example:later/thing" (instance
    (type $bytes (stream u8))
    (type $number (future u32))
    (export "send" (func (param "bytes" $bytes) (result $number))))))
