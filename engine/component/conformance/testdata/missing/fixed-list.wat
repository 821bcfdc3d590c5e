;; unsupported: lists of fixed length
;; refused: lists of fixed length
(component (import "f" (func (param "a" (list u8 4)))))
