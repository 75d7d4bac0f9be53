// Converts between the keeper's frames and the objects of types/keeper.d.ts.
#pragma once
#include <string>

#include "addon/js.h"
#include "wire/channel.h"
#include "wire/frames.h"

namespace pbox::js {

// The bodies of requests, from LaunchSpec, AdoptSpec, CleanupStep[] and AbandonedGroups.
std::string start_body(const Object& spec);
std::string adopt_body(const Object& spec);
// A message for the front end: NodeMessage and text.
std::string front_message(const Object& message);
std::string cleanup_body(const Napi::Array& steps, const Value& abandoned);

RlimitWire rlimit_wire(const RlimitChange& change);

// From FileOp[] and SampleOptions.
std::string files_body(const Napi::Array& ops);
// Remembers the list of paths of the last sample and its form in a frame: most samples name the same list.
class EncodedPaths {
 public:
  const std::string& of(const Value& files, uint32_t& count);

 private:
  Napi::ObjectReference list_;
  std::string encoded_;
  const std::string none_;
};
std::string sample_body(const Object& options, EncodedPaths& known);

// A SignalDelivery, into an object that may have more.
void set_delivery(Object& into, const Delivery& delivery);
// A KeeperEvent.
Object event_object(Env env, Event type, const std::string& body);
// The value to which the promise of a request resolves.
Value reply_value(Env env, Request type, const std::string& body);
Object usage_object(Env env, const UsageBody& usage);
// FileResult[] and RawSample: js_sample.cc.
Value files_value(Env env, Reader body);
Value sample_value(Env env, Reader body);

}  // namespace pbox::js
