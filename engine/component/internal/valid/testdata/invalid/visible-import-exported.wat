;; "f": the function refers to a type that is not imported
(component (type $r (record (field "a" u8))) (export $e "r" (type $r)) (import "f" (func (param "a" $e))))
