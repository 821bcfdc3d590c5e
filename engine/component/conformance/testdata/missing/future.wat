;; unsupported: futures
;; refused: futures
(component (import "f" (func (result (future u8)))))
